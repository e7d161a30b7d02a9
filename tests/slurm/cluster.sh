#!/bin/bash
# A Slurm cluster of two nodes on this machine, from Debian's packages unpacked in a folder: no systemd, no daemons of the
# system's. The quickstart runs on it as arrays, a node's daemon and a task are killed on the way, and the merged results
# must be those of `semgpu run`, byte for byte. Needs root (Slurm's daemons run as the user they serve) and apt.
#   tests/slurm/cluster.sh PROGRAM [FOLDER]
set -euo pipefail
program=$(realpath "$1")
here=$(realpath "$(dirname "$0")/../..")
folder=${2:-$(mktemp -d)}
mkdir -p "$folder"/{packages,root,state,spool/n1,spool/n2,log,munge,work}
cd "$folder"

if [ ! -x root/usr/sbin/slurmctld-wlm ]; then
    packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge libmunge2 libslurm38 libhwloc15 libnuma1 libreadline8)
    (cd packages && apt-get download -qq "${packages[@]}")
    for package in packages/*.deb; do dpkg -x "$package" root; done
fi
root=$folder/root
libraries=$root/usr/lib/x86_64-linux-gnu
export PATH=$root/usr/bin:$root/usr/sbin:$PATH SLURM_CONF=$folder/slurm.conf
slurm() { LD_LIBRARY_PATH=$libraries:$libraries/slurm-wlm "$@"; }
# sbatch is called by slurm/submit.sh
export LD_LIBRARY_PATH=$libraries:$libraries/slurm-wlm

cat > slurm.conf <<END
ClusterName=semgpu
SlurmctldHost=$(hostname -s)(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
SlurmUser=$(id -un)
SlurmctldPort=17001
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/%n
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
PluginDir=$libraries/slurm-wlm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=5
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=17011 CPUs=1 State=UNKNOWN
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=17012 CPUs=1 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
END
chmod 700 munge
head -c 1024 /dev/urandom > munge/key
chmod 600 munge/key

node() { slurmd-wlm -N "$1" -d "$root/usr/sbin/slurmstepd-wlm"; }
end() {
    cd "$folder"
    for pid in slurmd-n1.pid slurmd-n2.pid slurmctld.pid munge/pid; do
        [ -f "$pid" ] && kill "$(cat "$pid")" 2>/dev/null
    done
    true
}
trap end EXIT
munged --force --key-file=munge/key --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"
slurmctld-wlm -c
node n1
node n2
for _ in $(seq 30); do [ "$(sinfo -h -t idle -o %D)" = 2 ] && break; sleep 0.5; done
sinfo

# Processes of this cluster alone, by the file they run; the newest last.
cp "$program" semgpu
program=$folder/semgpu
running() {
    local pid file
    file=$(realpath "$1")
    for pid in $(ls /proc | grep -x '[0-9]*' | sort -n); do
        [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$file" ] && echo "$pid"
    done
    true
}

cd work
config=$here/configs/quickstart.toml
"$program" -q run --config "$config" --device cpu --out whole
# Small shards: five of groups, some of draws.
"$program" shards "$config" --device cpu --out merged --size 5s --tables tables --fresh
"$here/slurm/submit.sh" tables --time=10
# A task is killed in the middle, then a node's daemon with its task.
for _ in $(seq 60); do [ -n "$(running "$program")" ] && break; sleep 0.5; done
running "$program" | xargs kill -KILL
sleep 1
kill -KILL "$(cat "$folder/slurmd-n2.pid")"
running "$root/usr/sbin/slurmstepd-wlm" | tail -n 1 | xargs -r kill -KILL || true
sleep 2
node n2
scontrol update nodename=n2 state=resume 2>/dev/null || true
# Until no job is left; those that Slurm holds after a launch that failed, or makes wait after a node that failed, are let
# go on, as an administrator would.
finish() {
    local started=$SECONDS job
    until [ -z "$(squeue -h)" ]; do
        for job in $(squeue -h -o '%i %r' | awk '/held/ {print $1}'); do scontrol release "$job"; done
        for job in $(squeue -h -o '%i %r' | awk '/BeginTime/ {print $1}'); do scontrol update jobid="$job" starttime=now; done
        if ((SECONDS - started > 240)); then squeue; exit 1; fi
        sleep 1
    done
}
finish
"$program" status "$config" --out merged
# What was killed is missing: the same submission computes it and nothing else.
if [ ! -f merged/run.json ]; then
    "$program" merge "$config" --device cpu --out merged 2>&1 | head -20 || true
    "$here/slurm/submit.sh" tables --time=10
    finish
fi
"$program" status "$config" --out merged
for table in whole/*.csv whole/figures/*.svg whole/rsm/*.npy; do cmp "$table" "merged/${table#whole/}"; done
echo "merged results equal those of one machine: $(ls whole/*.csv whole/figures/*.svg whole/rsm/*.npy | wc -l) files"
