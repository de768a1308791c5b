#!/bin/sh
# Train on a machine with a GPU that is available for minutes only and has no network access.
#
#   trainer/gpu_run.sh CONFIG PACKED [PACKED ...]
#
# PACKED: folders with the shards written by `python -m trainer pack --config CONFIG --out PACKED`.
# If they were copied into several folders, name all of them; index.json must be in one of them.
# Environment: OUT (default: out) for the result, MINUTES (20) of training, DEVICE (cuda),
# WHEELS (wheels), a folder of wheels for missing Python packages, and PYTHON (python3).
#
# The result, OUT/result, is packed in shards of at most 15 MiB. Back on your machine,
# `python -m trainer unpack-shards OUT/result --out runs/gpu` restores checkpoint and log.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 CONFIG PACKED [PACKED ...]" >&2; exit 2; }
config=$1
shift
out=${OUT:-out}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

if ! "$python" -c 'import torch, pydantic, safetensors, cv2, scipy, rich' 2>"$work/missing"; then
    if [ -d "${WHEELS:-wheels}" ]; then
        "$python" -m pip install -q --no-index --no-deps --target "$work/site" "${WHEELS:-wheels}"/*.whl
    else
        "$python" -m pip install -q --target "$work/site" pydantic safetensors opencv-python-headless scipy rich
    fi
fi
export PYTHONPATH="$work/site:$work/packed/unpacked/site${PYTHONPATH:+:$PYTHONPATH}"

mkdir "$work/packed"
for folder in "$@"; do
    ln -s "$(cd "$folder" && pwd)"/* "$work/packed/"
done
"$python" -m trainer unpack-shards "$work/packed" --out "$work/packed/unpacked"

# the saved checkpoint is brought back even if training fails
status=0
"$python" -m trainer train --config "$config" --pack "$work/packed" --out "$work/run" \
    --device "${DEVICE:-cuda}" --minutes "${MINUTES:-20}" || status=$?
cp "$work/run/log.jsonl" "$work/run/config.toml" "$out/" 2>/dev/null || true
if [ -f "$work/run/checkpoint.safetensors" ]; then
    rm -rf "$out/result"
    "$python" -m trainer pack --out "$out/result" --mib 15 \
        --start "$work/run/checkpoint.safetensors" --data "log=$work/run/log.jsonl"
fi
exit $status
