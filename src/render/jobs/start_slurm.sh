#!/bin/bash
# Starts job {{job}} on Slurm: arrays of ranks, and `hardset finish` when all have ended. Written by `hardset submit --to slurm`.
# Starting it twice does no harm, but makes work: a rank that is through ends at once, one at work is done twice.
set -u
# Logs and scripts are found from this folder.
unset CDPATH
cd -- "$(dirname -- "$0")" && mkdir -p logs || exit 1

arrays=
refused=
# submit IDS OFFSET: array tasks with these ids, each with the rank OFFSET + id; after % the number of tasks at a time.
submit() {
  # --parsable prints the number of the job, and on some sites `;` and the name of a cluster.
  if id=$(sbatch --parsable --array="$1" array.sbatch "$2"); then
    arrays=$arrays:${id%%;*}
    echo "array job ${id%%;*}: ranks $2 + $1"
  else
    refused="$refused; ranks $2 + $1"
  fi
}
{{arrays}}

if [ -n "$arrays" ]; then
  # afterany, not afterok: `finish` itself looks at what is done. If a rank was lost, it says which.
  if id=$(sbatch --parsable --dependency="afterany$arrays" finish.sbatch); then
    echo "job ${id%%;*}: hardset finish, when these have ended"
  else
    refused="$refused; finish.sbatch"
  fi
  echo "what is done: hardset status" {{run}}
fi
if [ -n "$refused" ]; then
  echo "Slurm has refused ${refused#; } (its reason stands above). When it takes more: hardset submit" {{run}} "--missing --now" >&2
  exit 1
fi
