#!/bin/sh
# Runs check.py with a pyspark of its own, where there are Java and pip; else says that it did not, and fails where
# SPARK_CHECK=required.
#
#   examples/spark/check.sh PROGRAM [options of check.py]
set -eu
here=$(dirname "$0")
venv=${CARGO_TARGET_DIR:-$here/../../target}/pyspark
skip() {
    echo "examples/spark: not checked: $1"
    [ "${SPARK_CHECK:-}" != required ]
    exit
}
java -version 2> /dev/null || skip "no java"
if [ ! -e "$venv/ready" ]; then
    python3 -m venv "$venv" || skip "no python3 with venv"
    "$venv/bin/python" -m pip install --quiet 'pyspark==3.5.*' setuptools || skip "pip cannot install pyspark"
    touch "$venv/ready"
fi
exec "$venv/bin/python" "$here/check.py" "$@"
