#!/bin/bash
# Starts job {{job}} on Ray: the cluster of RAY_ADDRESS, else this machine alone. Written by `hardset submit --to ray`.
# Needs a Python 3 that has ray, of the same version as the cluster's: PYTHON=/path/to/python3 bash start.sh
# Starting it twice does no harm: a rank that is through ends at once.
#
# By the cluster's job server, so that this machine may be switched off:
#   ray job submit --address http://HEAD:8265 --no-wait -- python3 {{folder}}/ray_job.py --ranks {{ranks}}
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")"
exec "${PYTHON:-python3}" ray_job.py --ranks {{ranks}}
