#!/bin/bash
# Computes lines of a table of commands, as `semgpu shards` writes it: task i of n computes lines i, i + n, i + 2n, ...
# A task that is requeued or killed goes on where it stopped, one that is computed twice gives the same bytes.
#   sbatch --array=1-20 slurm/array.sh shards/groups.txt
#SBATCH --job-name=semgpu
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=semgpu-%A_%a.log
set -eu
table=$1
lines=$(wc -l < "$table")
failed=0
for ((line = SLURM_ARRAY_TASK_ID; line <= lines; line += SLURM_ARRAY_TASK_COUNT)); do
    command=$(sed -n "${line}p" "$table")
    echo "== line $line of $table: $command" >&2
    bash -c "$command" || failed=1
done
exit $failed
