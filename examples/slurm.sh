#!/bin/sh
# A Slurm array: every task does its part of one file, and continues it when the task is requeued.
#
#   sbatch examples/slurm.sh
#   cat out.000.jsonl out.001.jsonl ... > out.jsonl     # once all are done, in order
#
# To run one task again: sbatch --array=5 examples/slurm.sh. `auto/8`, rather than `auto`, keeps its part the same then.
#SBATCH --job-name=gliclass
#SBATCH --array=0-7
#SBATCH --cpus-per-task=8
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
output=$(printf 'out.%03d.jsonl' "$SLURM_ARRAY_TASK_ID")
exec gliclass batch in.jsonl -o "$output" --resume --shard auto/8 --threads "$SLURM_CPUS_PER_TASK" \
    --labels praise,complaint,question
