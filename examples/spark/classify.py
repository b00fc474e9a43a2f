"""Classifies JSONL on a Spark cluster: one gliclass process a partition, fed by RDD.pipe.

    spark-submit --master spark://HOST:7077 --files gliclass classify.py \
        --program ./gliclass hdfs:///in.jsonl hdfs:///out -- --labels travel,dreams,sport

What stands after -- goes to `gliclass batch`. The parts of the output, in order, are what one run writes.
"""

import argparse
import shlex
import sys

from pyspark.sql import SparkSession

# RDD.pipe gives the child an empty environment unless it is told otherwise. gliclass needs nothing of it
# for the built-in model or a folder; HF_HOME where the model lies in a Hugging Face cache.
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}

# Status 1 says that some records failed: they are in the output with a field `error`, and a second attempt
# would fail them again. Any other failure is the task's, which Spark tries again.
COMMAND = 'status=0; "$0" "$@" || status=$?; [ $status -eq 1 ] || exit $status'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="JSONL, anything that Spark reads as text")
    parser.add_argument("output", help="a folder that does not exist yet")
    parser.add_argument("--program", default="./gliclass", help="its path on the workers [%(default)s]")
    parser.add_argument("--partitions", type=int, help="processes in all [a few for each core]")
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    return parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]


def main():
    args, options = arguments()
    spark = SparkSession.builder.appName("gliclass").getOrCreate()
    context = spark.sparkContext
    threads = context.getConf().get("spark.task.cpus", "1")
    batch = [args.program, "batch", "--quiet", "--threads", threads, *options]
    lines = context.textFile(args.input, args.partitions or 4 * context.defaultParallelism)
    classified = lines.pipe(shlex.join(["/bin/sh", "-c", COMMAND, *batch]), ENVIRONMENT, checkCode=True)
    classified.saveAsTextFile(args.output)
    spark.stop()


if __name__ == "__main__":
    main()
