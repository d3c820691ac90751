#!/bin/bash
# Starts job {{job}} on Kubernetes, waits for its pods, then finishes. Written by `hardset submit --to kubernetes`.
# Uses kubectl's own context and namespace. May be stopped: the pods go on; start finish.yaml by hand when they have ended.
set -eu
unset CDPATH
cd -- "$(dirname -- "$0")"

# wait_for JOB: until all its pods have ended, well or not. What is done is said by `hardset finish`, not by Kubernetes.
wait_for() {
  while true; do
    ended=$(kubectl get "$1" -o 'jsonpath={.status.conditions[?(@.status=="True")].type}') || ended=
    case " $ended " in
      *" Complete "* | *" Failed "*) break ;;
    esac
    sleep 10
  done
  echo "$1: $ended"
}

ranks=$(kubectl create -f {{file}} -o name)
echo "$ranks is started"
wait_for "$ranks"

finish=$(kubectl create -f finish.yaml -o name)
wait_for "$finish"
kubectl logs "$finish"
