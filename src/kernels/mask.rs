//! Which elements dropout leaves out. An element's fate hangs on its number and the mask's key alone, so that it is
//! the same in the forward and the backward pass, and however threads share the work.

/// Leaves out a share of the elements and raises the others, so that sums stay what they are on average.
#[derive(Clone, Copy, Debug)]
pub struct Mask {
    keys: [u32; 2],
    /// Elements whose hash lies below are left out.
    out_below: u32,
    raised: f32,
}

impl Mask {
    /// The mask of a key, which leaves out the share `rate` of the elements, from 0 up to 1.
    pub fn new(key: u64, rate: f32) -> Self {
        let rate = rate.clamp(0.0, 1.0);
        let raised = if rate < 1.0 { 1.0 / (1.0 - rate) } else { 0.0 };
        Self { keys: [key as u32, (key >> 32) as u32], out_below: (f64::from(rate) * 2f64.powi(32)) as u32, raised }
    }

    /// What element `index` is multiplied with.
    #[inline(always)]
    pub fn factor(&self, index: usize) -> f32 {
        // The high half counts, too: a mask does not begin again after 2^32 elements.
        let [low, high] = [index as u32, (index as u64 >> 32) as u32];
        let hash = finalize(finalize(low.wrapping_add(self.keys[0])) ^ self.keys[1] ^ high);
        if hash < self.out_below { 0.0 } else { self.raised }
    }

    /// Multiplies elements, the first of which has the number `first`.
    pub fn apply(&self, x: &mut [f32], first: usize) {
        x.iter_mut().enumerate().for_each(|(i, x)| *x *= self.factor(first + i));
    }
}

/// The finalizer of MurmurHash3: every bit of the input turns about half of the output's.
#[inline(always)]
fn finalize(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    let x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_leaves_out_its_share_and_keeps_the_mean() {
        for (key, rate) in [(1, 0.1f32), (u64::MAX / 3, 0.5), (2, 0.0)] {
            let mut x = vec![1.0; 100_000];
            Mask::new(key, rate).apply(&mut x, 0);
            let left_out = x.iter().filter(|x| **x == 0.0).count() as f32 / 1e5;
            assert!((left_out - rate).abs() < 0.005, "{left_out} of {rate}");
            assert!((x.iter().sum::<f32>() / 1e5 - 1.0).abs() < 0.01);
            // Neighbours are not left out together more often than by chance.
            let both = x.windows(2).filter(|pair| pair[0] == 0.0 && pair[1] == 0.0).count() as f32 / 1e5;
            assert!((both - rate * rate).abs() < 0.005, "{both}");
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_mask_does_not_begin_again() {
        let mask = Mask::new(7, 0.5);
        let block = |number: usize| (0..10_000).map(move |at| mask.factor((number << 32) + at)).collect::<Vec<f32>>();
        let first = block(0);
        for number in [1, 2, 3, 1 << 20] {
            let same = block(number).iter().zip(&first).filter(|(a, b)| a == b).count();
            assert!((4_800..5_200).contains(&same), "block {number}: {same}");
        }
    }

    #[test]
    fn parts_of_a_mask_are_those_of_the_whole() {
        let mask = Mask::new(5, 0.3);
        let (mut whole, mut part) = (vec![1.0; 100], vec![1.0; 40]);
        mask.apply(&mut whole, 0);
        mask.apply(&mut part, 60);
        assert_eq!(whole[60..], part);
    }
}
