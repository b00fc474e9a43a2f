//! A learned number for each distance, added to the scores of attention: far distances share theirs.
//!
//! Source: `_relative_position_bucket` of `modeling_t5.py` and its kin in transformers.

/// The largest distance that there may be a number for: each layer has a table of all of them.
const MAX_DISTANCE: usize = 1 << 16;

/// Which row of the bias table stands for each distance.
#[derive(Debug, Clone, Copy)]
pub struct Buckets {
    count: usize,
    max_distance: usize,
    /// A decoder's: keys behind the query share the row of distance 0.
    backward: bool,
}

impl Buckets {
    /// `count` rows, the last of each direction for all distances from `max_distance` on.
    ///
    /// # Errors
    /// It is too far for a table, there is no row for a distance alone, or `max_distance` is among those that have one.
    pub fn new(count: usize, max_distance: usize, backward: bool) -> Result<Self, String> {
        let buckets = Self { count, max_distance, backward };
        if max_distance > MAX_DISTANCE {
            return Err(format!("relative_attention_max_distance {max_distance} is more than {MAX_DISTANCE}"));
        }
        if buckets.exact() == 0 || max_distance <= buckets.exact() {
            return Err(format!(
                "relative_attention_num_buckets {count} with relative_attention_max_distance {max_distance}: there \
                 must be a bucket for some distances alone, and the largest distance must be beyond them"
            ));
        }
        Ok(buckets)
    }

    /// Rows for one direction.
    fn one_way(self) -> usize {
        if self.backward { self.count } else { self.count / 2 }
    }

    /// Distances that have a row of their own.
    fn exact(self) -> usize {
        self.one_way() / 2
    }

    /// The row for a key `distance` tokens behind its query: `_relative_position_bucket`.
    fn of(self, distance: i64) -> usize {
        let (exact, rows) = (self.exact(), self.one_way());
        let ahead = if distance > 0 && !self.backward { rows } else { 0 };
        let far = if self.backward { -distance.min(0) } else { distance.abs() } as usize;
        if far < exact {
            return ahead + far;
        }
        // In f32 as the reference: the cut is sensitive to the last bit.
        let log = (far as f32 / exact as f32).ln() / (self.max_distance as f64 / exact as f64).ln() as f32;
        ahead + (exact + (log * (rows - exact) as f32) as usize).min(rows - 1)
    }

    /// The row for each distance from `-max_distance` to `max_distance`.
    pub fn rows(self) -> Vec<usize> {
        let reach = self.max_distance as i64;
        (-reach..=reach).map(|distance| self.of(distance)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Buckets;

    #[test]
    fn near_keys_have_rows_of_their_own_and_far_ones_share() {
        let both = Buckets { count: 32, max_distance: 128, backward: false };
        assert_eq!([-7, 0, 7].map(|d| both.of(d)), [7, 0, 23]);
        assert_eq!([-8, -11, -12, 16, 127, 128, 9000].map(|d| both.of(d)), [8, 8, 9, 26, 31, 31, 31]);
        let backward = Buckets { backward: true, ..both };
        assert_eq!([5, 0, -15, -16, -127].map(|d| backward.of(d)), [0, 0, 15, 16, 31]);
    }

    #[test]
    fn there_is_a_row_for_each_distance() {
        let buckets = Buckets { count: 4, max_distance: 2, backward: false };
        assert_eq!(buckets.rows(), [1, 1, 0, 3, 3]);
    }
}
