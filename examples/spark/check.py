"""Runs classify.py for real and compares it with one run of gliclass, byte for byte.

    python check.py PROGRAM [--records N] [-- options of gliclass batch]

First on local[2]; then on a cluster of one master and two workers on this machine, of which one is
killed in the middle. Needs pyspark and Java.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pyspark

HERE = Path(__file__).resolve().parent
SPARK = Path(pyspark.__file__).parent
WORDS = "the world football politics science travel a café hotel goal vote \"quoted\" back\\slash 日本".split()
PATIENCE = 120


def write_records(path, count):
    dice = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(dice.choices(WORDS, k=dice.randint(1, 20)))
            # Some records that are no good: they come back with what is wrong with them.
            record = {"id": number, "text": text} if number % 1000 else {"id": number}
            print(json.dumps(record, ensure_ascii=dice.random() < 0.5), file=file)


def environment():
    # RDD.pipe must give gliclass what it needs: this process gives the workers nothing of its own.
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    return kept | {
        "SPARK_HOME": str(SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def submit(master, args, folder, output, more=()):
    command = [SPARK / "bin" / "spark-submit", "--master", master, *more, HERE / "classify.py"]
    command += ["--partitions", "12", folder / "in.jsonl", output, *args]
    log = (folder / f"{output.name}.log").open("w")
    return subprocess.Popen([str(part) for part in command], env=environment(), stdout=log, stderr=log, cwd=folder)


def wait_until(what, holds, process=None):
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end or (process and process.poll() is not None):
            sys.exit(f"{what}: did not happen")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(stack, folder, name, role, *options):
    """One process of a cluster, in a process group of its own."""
    log = (folder / f"{name}.log").open("w")
    command = [SPARK / "bin" / "spark-class", f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1", *options]
    command = [str(part) for part in command]
    process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log, start_new_session=True)
    stack.callback(kill, process)
    return process


def kill(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def on_cluster(stack, program, args, folder, output):
    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    start(stack, folder, "master", "master.Master", "--port", port, "--webui-port", free_port())
    master_log = folder / "master.log"
    wait_until("the master starts", lambda: "I have been elected leader" in master_log.read_text())
    workers = []
    for name in ("worker-1", "worker-2"):
        work = ["--cores", "1", "--memory", "1g", "--work-dir", folder / name, "--webui-port", free_port()]
        workers.append(start(stack, folder, name, "worker.Worker", *work, master))
    wait_until("both workers are there", lambda: master_log.read_text().count("Registering worker") == 2)
    # The program goes to the workers with the job, and is found in the folder they run it in.
    more = ["--files", program, "--conf", "spark.executor.memory=512m"]
    job = submit(master, ["--program", f"./{program.name}", *args], folder, output, more)
    stack.callback(kill_job, job)
    done = lambda: len(list(output.glob("_temporary/0/task_*")))
    wait_until("the first parts are done", lambda: done() >= 3, job)
    kill(workers[0])
    print(f"killed one worker of two after {done()} parts of 12")
    return job


def kill_job(job):
    if job.poll() is None:
        job.kill()
        job.wait()


def compare(name, job, output, expected):
    status = job.wait()
    log = output.with_name(f"{output.name}.log").read_text()
    if status != 0:
        sys.exit(f"{name}: spark-submit ended with {status}\n{log[-4000:]}")
    parts = sorted(output.glob("part-*"))
    if b"".join(part.read_bytes() for part in parts) != expected:
        sys.exit(f"{name}: the output differs from that of one run")
    records = expected.count(b"\n")
    lost = log.count("ERROR TaskSchedulerImpl: Lost executor")
    print(f"{name}: {records} records in {len(parts)} parts, equal to one run byte for byte; {lost} executors lost")
    return lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--records", type=int, default=20_000)
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args = parser.parse_args(sys.argv[1:split])
    program = args.program.resolve()
    options = sys.argv[split + 1 :] or ["--labels", "sport,politics,science"]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_records(folder / "in.jsonl", args.records)
        single = [program, "batch", "--quiet", folder / "in.jsonl", *options]
        run = subprocess.run(single, stdout=subprocess.PIPE)
        if run.returncode not in (0, 1):
            sys.exit(f"gliclass ended with {run.returncode}")
        local = submit("local[2]", ["--program", program, "--", *options], folder, folder / "local")
        compare("local[2]", local, folder / "local", run.stdout)
        output = folder / "cluster"
        cluster = on_cluster(stack, program, ["--", *options], folder, output)
        if not compare("cluster", cluster, output, run.stdout):
            sys.exit("the job ended before it saw that a worker was gone: give more --records")


if __name__ == "__main__":
    main()
