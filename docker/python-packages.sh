#!/bin/sh
# python-packages.sh VENV REQUIREMENTS EXCLUDES: fill a virtual environment for an image, then make it small. Only for
# the Dockerfile: one step, or the layer would keep what is removed.
set -eu
venv=$1 requirements=$2 excludes=$3
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --no-cache-dir --require-hashes --requirement "$requirements"

cd "$venv"/lib/python3*/site-packages
sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$excludes" | while read -r pattern; do
  # shellcheck disable=SC2086 # patterns are meant to expand
  rm -rf -- $pattern
done
rm -f "$venv"/bin/pip*
# TensorFlow's symbol tables, 200 MB, are for debuggers. Other wheels' libraries were patched and do not survive strip.
find . -name 'libtensorflow_*.so*' -type f -exec strip --strip-unneeded {} +
