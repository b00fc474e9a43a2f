"""Seconds a training step of the Python package takes, and the memory, on what `examples/training_step.rs` takes.

    python training_step.py FOLDER RECORDS BATCH STEPS

A batch is padded to its longest record, as the Trainer's is; f32, two threads, all tensors, no dropout.
"""

import json
import resource
import sys
import time

import torch
from gliclass import GLiClassModel
from transformers import AutoTokenizer

folder, records, batch, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(2)
model = GLiClassModel.from_pretrained(folder).float().eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
rows = [json.loads(line) for line in open(records)]
texts = ["".join(f"<<LABEL>>{label}" for label in row["labels"]) + "<<SEP>>" + row["text"] for row in rows]
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
for step in range(steps):
    first = step * batch % len(texts)
    inputs = tokenizer(texts[first : first + batch], padding=True, truncation=True, max_length=512, return_tensors="pt")
    start = time.perf_counter()
    output = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
    logits = output.logits
    counts = torch.tensor([len(row["labels"]) for row in rows[first : first + batch]])
    real = torch.arange(logits.shape[1])[None, :] < counts[:, None]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[real], torch.zeros_like(logits[real]))
    forward = time.perf_counter() - start
    loss.backward()
    backward = time.perf_counter() - start
    optimizer.step()
    optimizer.zero_grad()
    total = time.perf_counter() - start
    print(
        f"step {step}: {int(inputs['attention_mask'].sum())} tokens of {inputs['input_ids'].numel()}, loss {loss.item():.6f}: "
        f"forward {forward:.3f} s, backward {backward - forward:.3f} s, AdamW {total - backward:.3f} s: {total:.3f} s",
        flush=True,
    )
print("VmHWM", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "kB")
