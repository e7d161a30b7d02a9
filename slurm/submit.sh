#!/bin/bash
# Submits the tables of `semgpu shards`: the shards of groups, after them those of draws, after them the merge.
#   slurm/submit.sh shards [options of sbatch, as --partition=gpu --gres=gpu:1 --cpus-per-task=4 --time=1:00:00]
# Where a task fails, what waits for it is cancelled: `semgpu status` says how far it is, `semgpu merge` which commands are
# missing, and submitted again, shards that are done take seconds.
set -eu
tables=$1
shift
# Most tasks of an array; Slurm's own default (MaxArraySize) is 1000.
most=${SEMGPU_MOST_TASKS:-1000}
after=
for table in groups draws merge; do
    lines=$(wc -l < "$tables/$table.txt")
    tasks=$((lines < most ? lines : most))
    after=$(sbatch --parsable ${after:+--dependency=afterok:$after --kill-on-invalid-dep=yes} --array="1-$tasks" "$@" \
        "$(dirname "$0")/array.sh" "$tables/$table.txt")
    echo "$table: job $after, $tasks tasks"
done
