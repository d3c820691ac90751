#!/bin/bash
# Starts job {{job}} on Slurm: arrays of ranks, and `hardset finish` when all have ended. Written by `hardset submit --to slurm`.
# Starting it twice does no harm: a rank that is through ends at once.
set -eu
# Logs and scripts are found from this folder.
cd "$(dirname "$0")"
mkdir -p logs

arrays=
# submit IDS OFFSET: array tasks with these ids, each with the rank OFFSET + id; after % the number of tasks at a time.
submit() {
  # --parsable prints the number of the job, and on some sites `;` and the name of a cluster.
  id=$(sbatch --parsable --array="$1" array.sbatch "$2")
  arrays=$arrays:${id%%;*}
  echo "array job ${id%%;*}: ranks $2 + $1"
}
{{arrays}}

# afterany, not afterok: `finish` itself looks at what is done. If a rank was lost, it says which.
id=$(sbatch --parsable --dependency="afterany$arrays" finish.sbatch)
echo "job ${id%%;*}: hardset finish, when these have ended"
echo "what is done: hardset status" {{run}}
