"""What may go wrong with processes and servers: each is one error that names it, in a stated time, or goes on."""

import asyncio
import compileall
import hashlib
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from clusters import ROOT, briefly, distributed, needs_dask, separate_cluster

import sven_ref as sr
from sven_ref import cli
from sven_ref.errors import ArgumentError, ClusterError
from sven_ref.sharded import ShardedProblem, cluster, cluster_errors, connect, task, workers
from sven_ref.sharded.workers import Workers

pytestmark = needs_dask
NET = sr.MLP((3, 4, 1), "tanh")
THETA = NET.init(0)
X = np.random.default_rng(0).standard_normal((12, 3))
BATCH = (X, np.sin(X[:, :1]))
PROBLEM = sr.Problem(NET, kappa=1.0)


def step(problem):
    return sr.step(problem, THETA, BATCH, lr=0.1, k=2, solver="gram")[0]


def kill(client):
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def client():
    with connect(2) as client:
        yield client


# --- a scheduler that is none


def banner(text):
    return lambda peer: peer.sendall(text)


def answer(text):
    return lambda peer: peer.recv(8) and peer.sendall(text)


SERVERS = {
    "ssh": (banner(b"SSH-2.0-OpenSSH_9.6\r\n"), "it speaks another protocol"),
    "smtp": (banner(b"220 mail.example.com ESMTP\r\n"), "it speaks another protocol"),
    "http": (answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), "it speaks another protocol"),
    "redis": (answer(b"-ERR unknown command\r\n"), "it speaks another protocol"),
    "tls": (answer(bytes.fromhex("15030300020246") * 9), "it speaks another protocol"),
    "zeros": (banner(bytes(4096)), "it speaks another protocol"),
    "ones": (banner(b"\xff" * 4096), "it speaks another protocol"),
    "a short frame": (banner((40).to_bytes(8, "little") + b"x" * 400), "it speaks another protocol"),
    "an empty frame": (banner((8).to_bytes(8, "little") + bytes(8)), "it speaks another protocol"),
    "a long frame": (banner((10**9).to_bytes(8, "little") + b"x"), "it is silent"),
    "closes at once": (lambda peer: peer.close(), "it closes the connection"),
    "closes after a word": (lambda peer: (peer.sendall(b"x"), peer.close()), "it closes the connection"),
    "silent": (lambda peer: None, "it is silent"),
    **{
        f"random {seed}": (banner(np.random.default_rng(seed).bytes(4096)), "it speaks another protocol")
        for seed in range(5)
    },
}


@contextmanager
def server(talk):
    """The address of one that says this to whoever comes."""
    peers = []

    def accept():
        while True:
            try:
                peer, _ = listener.accept()
                peers.append(peer)
                talk(peer)
            except OSError:  # the listener is closed: the test is over
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_is_no_scheduler(kind):
    talk, why = SERVERS[kind]
    with briefly(), server(talk) as address, pytest.raises(ClusterError) as raised, connect(scheduler=address):
        pass
    assert str(raised.value) == f"scheduler = '{address}': no Dask scheduler answers there ({why})"


def test_a_worker_or_a_nanny_is_no_scheduler(client):
    worker = client.cluster.workers[0]
    for address, kind in ((worker.worker_address, "Worker"), (worker.address, "Nanny")):
        with pytest.raises(ClusterError, match=rf"no Dask scheduler answers there \(it is a {kind} of Dask\)"):
            connect(scheduler=address).__enter__()


@pytest.mark.parametrize("scheduler", [8786, b"tcp://127.0.0.1:8786", ("127.0.0.1", 8786), True])
def test_what_is_no_address(scheduler):
    with pytest.raises(ArgumentError, match=r"scheduler is a .*: must be an address, such as"):
        connect(scheduler=scheduler).__enter__()


NO_ADDRESSES = {
    "": "has no port",
    "nonsense": "has no port",
    "127.0.0.1": "has no port",
    "tcp://": "has no port",
    "tcp://127.0.0.1": "has no port",
    "tcp://127.0.0.1:": "has no port",
    "tcp://:8786": "has no host",
    ":8786": "has no host",
    "tcp://127.0.0.1:x": "its port is 'x'",
    "tcp://127.0.0.1:99999": "its port is '99999'",
    "tcp://127.0.0.1:-5": "its port is '-5'",
    "tcp://127.0.0.1:0": "its port is '0'",
    "tcp://127.0.0.1:8786/status": "its port is '8786/status'",
    "tcp://127.0.0.1:٣": "its port is '٣'",
    "tcp://127.0.0.1: 8786": "its port is ' 8786'",
    "tls://127.0.0.1:8786": "tls is no protocol that goes without a client of your own",
    "ucx://127.0.0.1:8786": "ucx is no protocol that goes",
    "inproc://127.0.0.1/1/1": "inproc is no protocol that goes",
    "inproc://x": "inproc is no protocol that goes",
    "ws://127.0.0.1:8786": "ws is no protocol that goes",
    "http://127.0.0.1:8787/status": "http is no protocol that goes",
    "a://b:1": "a is no protocol that goes",
    "TLS://127.0.0.1:8786": "TLS is no protocol that goes",
}


@pytest.mark.parametrize("scheduler", NO_ADDRESSES)
def test_what_can_be_no_address_is_refused_at_once(scheduler):
    """It was tried for half a minute, or named in Dask's words."""
    began = time.monotonic()
    with pytest.raises(ArgumentError) as raised:
        connect(scheduler=scheduler).__enter__()
    assert str(raised.value).startswith(
        f"scheduler = {scheduler!r}: must be tcp://HOST:PORT, as a Dask scheduler prints"
    )
    assert NO_ADDRESSES[scheduler] in str(raised.value)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".org", "[::g]", "256.256.256.256"])
def test_a_host_that_there_is_not_is_refused_at_once(host):
    began = time.monotonic()
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers there \((there is no such host|.*known|.*host)"):
        connect(scheduler=f"tcp://{host}:8786").__enter__()
    assert time.monotonic() - began < 15  # of a resolver that has no network


@pytest.mark.parametrize("spelling", ["tcp://{}", "{}", "TCP://{}", " tcp://{}\n"])
def test_spellings_of_an_address(client, spelling):
    address = spelling.format(client.scheduler.address.removeprefix("tcp://"))
    with connect(scheduler=address) as other:
        assert other.scheduler.address == client.scheduler.address


# --- processes that do not start


@pytest.mark.parametrize("limit", ["64MiB", "1kB", "", 2, 0.0001, "191MiB", -5, 100_000_000])
def test_a_memory_limit_below_what_a_worker_takes(limit):
    with pytest.raises(ClusterError, match=rf"memory_limit = {limit!r}: is .* must be at least 192.00 MiB"):
        connect(1, memory_limit=limit).__enter__()


@pytest.mark.parametrize("limit", ["lots", [], float("nan"), True, "2 parsecs"])
def test_what_is_no_memory_limit(limit):
    with pytest.raises(ArgumentError, match=rf"memory_limit = {re.escape(repr(limit))}: must be 'auto'"):
        connect(1, memory_limit=limit).__enter__()


def test_a_process_that_ends_while_it_starts(monkeypatch, capfd):
    """Killed, or without memory: one error, and neither a log nor a process is left."""
    started = distributed.nanny.WorkerProcess.start

    async def killed(self):
        asyncio.get_running_loop().call_later(0.05, lambda: self.process and os.kill(self.process.pid, signal.SIGKILL))
        return await started(self)

    monkeypatch.setattr(distributed.nanny.WorkerProcess, "start", killed)
    with pytest.raises(ClusterError, match=r"workers = 2, memory_limit = 'auto': a process ended while it started"):
        connect(2).__enter__()
    assert capfd.readouterr().err.count("\n") == 0


def test_a_script_without_its_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from sven_ref.sharded import connect\nwith connect(1):\n    pass\n")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("sven_ref.errors.ClusterError: workers = 1")
    assert "if __name__ == '__main__'" in run.stderr.splitlines()[-1]


# --- who waits


def test_all_workers_killed_between_two_steps():
    with connect(2) as client:
        sharded = ShardedProblem(PROBLEM, client)
        expected = step(sharded)
        for _ in range(2):
            client.wait_for_workers(2, timeout=60)
            time.sleep(1)  # Dask gives up a worker that is killed while it registers
            kill(client)
            assert np.array_equal(step(sharded), expected)


def test_as_many_shards_as_workers_were_asked_for():
    """And not as there are now: other shards, other bits."""
    with connect(2) as client:
        expected = step(ShardedProblem(PROBLEM, client))
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        while len(client.nthreads()) == 2:
            time.sleep(0.01)
        sharded = ShardedProblem(PROBLEM, client)
        assert sharded.n_shards == 2
        assert np.array_equal(step(sharded), expected)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(workers, "POLL", 0.2)
    monkeypatch.setattr(cluster_errors, "NOTICE", 6.0)  # a worker's heartbeat comes every few seconds
    monkeypatch.setattr(cluster_errors, "SILENCE", 10.0)


@contextmanager
def frozen(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_frozen_worker_is_named_and_then_given_up(impatient, caplog):
    with connect(1) as client:
        sharded = ShardedProblem(PROBLEM, client)
        expected = step(sharded)
        (pid,) = client.run(os.getpid).values()
        with (
            frozen(pid),
            pytest.raises(ClusterError, match=r"the worker tcp://\S+ gives no sign of life.*θ is as it was"),
        ):
            step(sharded)
        assert [r.name for r in caplog.records].count("sven_ref") == 1
        assert np.array_equal(step(sharded), expected)  # it was frozen and is not lost


def test_a_frozen_worker_of_ours_is_replaced(monkeypatch):
    monkeypatch.setattr(cluster, "REPLACED", "4s")
    with connect(2) as client:
        sharded = ShardedProblem(PROBLEM, client)
        expected = step(sharded)
        pid = next(iter(client.run(os.getpid).values()))
        os.kill(pid, signal.SIGSTOP)
        assert np.array_equal(step(sharded), expected)


class Long:
    """A loss that takes longer than a silent worker is waited for."""

    def __call__(self, f, y):
        end = time.monotonic() + 12
        while time.monotonic() < end:
            np.linalg.svd(np.ones((200, 200)))
        return anp.sum((f - y) ** 2, axis=1)


def test_a_worker_that_computes_for_long_is_not_silent(impatient, caplog):
    with connect(1) as client:
        ShardedProblem(sr.Problem(NET, Long()), client, 1).residuals(THETA, BATCH)
    assert "sven_ref" not in [r.name for r in caplog.records]


def test_a_frozen_scheduler_is_named_and_then_given_up(tmp_path, impatient, caplog):
    with separate_cluster(tmp_path) as (address, scheduler), briefly(), connect(scheduler=address) as client:
        client.wait_for_workers(1, timeout=60)
        sharded = ShardedProblem(PROBLEM, client)
        expected = step(sharded)
        with frozen(scheduler.pid), pytest.raises(ClusterError, match=r"the scheduler tcp://\S+ does not answer"):
            step(sharded)
        assert "sven_ref waits: the scheduler" in caplog.text
        assert np.array_equal(step(sharded), expected)


def test_no_worker_ever_comes(tmp_path, impatient):
    with separate_cluster(tmp_path, workers=0) as (address, _), connect(scheduler=address) as client:
        import dask

        with (
            dask.config.set({"distributed.scheduler.no-workers-timeout": "0.5s"}),
            pytest.raises(ClusterError, match="its cluster has no workers; start some, `dask worker ADDRESS`"),
        ):
            ShardedProblem(PROBLEM, client)


# --- versions


PRELOAD = """
import {module}
{change}
"""


@pytest.mark.parametrize(
    ("module", "change", "message"),
    [
        ("sven_ref", "sven_ref.__version__ = '0.0.1'", r"has sven_ref 0\.0\.1; install sven_ref"),
        (
            "importlib.metadata as m",
            "m.version = lambda name, v=m.version: '1.0' if name == 'numpy' else v(name)",
            r"has numpy 1\.0; install numpy",
        ),
        (
            "importlib.metadata as m",
            "m.version = lambda name, v=m.version: '1.0' if name == 'autograd' else v(name)",
            r"has autograd 1\.0; install autograd",
        ),
    ],
)
@pytest.mark.parametrize("when", ["between two steps", "in the middle of one"])
def test_a_worker_of_another_version_that_comes_later(tmp_path, module, change, message, when):
    (tmp_path / "other.py").write_text(PRELOAD.format(module=module, change=change))
    with separate_cluster(tmp_path) as (address, _), connect(scheduler=address) as client:
        client.wait_for_workers(1, timeout=60)
        sharded = ShardedProblem(PROBLEM, client, 2)
        step(sharded)
        own = list(client.nthreads())
        run = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        other = subprocess.Popen(
            [*run, "--no-dashboard", "--preload", tmp_path / "other.py"], stderr=subprocess.DEVNULL
        )
        try:
            client.wait_for_workers(2, timeout=60)
            if when == "in the middle of one":  # the client has not seen it when it goes for its tasks
                (new,) = set(client.nthreads()) - set(own)
                sharded.workers.checked.add(new)
            with pytest.raises(ClusterError, match=rf"client: .* {message} \S+ there, as it is here"):
                step(sharded)
        finally:
            other.kill()
            other.wait()


def append(path, text):
    path.write_text(path.read_text() + text)


def copied(folder):
    """The package in a folder of its own."""
    shutil.copytree(ROOT / "sven_ref", folder / "sven_ref", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def code_of(root, *options):
    """The digest of the package that is imported from there, as a worker would say it."""
    code = "from sven_ref.sharded.task import reader; import sven_ref; print(sven_ref.__file__, reader()()['code'])"
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(root)}, cwd=root.parent, capture_output=True, text=True
    )
    file, digest = done.stdout.split()
    assert file.startswith(str(root)), done
    return digest


def test_the_digest_is_of_all_code_that_makes_numbers(tmp_path):
    here = task.reader()()["code"]
    root = copied(tmp_path / "one")
    assert code_of(root) == here
    package = root / "sven_ref"
    for path in package.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as Git may leave them on Windows
    (package / "lab" / "train.py").write_text("")
    (package / "conformance" / "new.py").write_text("")
    (package / "notes.txt").write_text("")
    assert code_of(root, "-B") == here
    digests = {here}
    for i, change in enumerate(
        (
            lambda: append(package / "factored" / "columns.py", "# changed"),
            lambda: (package / "solvers" / "new.py").write_text(""),
            lambda: (package / "new.py").write_text(""),
            lambda: (package / "new.py").rename(package / "newer.py"),
            lambda: (package / "minimal.py").unlink(),
        ),
        2,
    ):
        change()
        digests.add(code_of(root, "-B"))
        assert len(digests) == i


def test_the_digest_of_an_install_that_is_zipped_read_only_or_without_sources(tmp_path):
    here, root = task.reader()()["code"], copied(tmp_path / "tree")
    assert code_of(Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", root))) == here
    for path in [*root.rglob("*"), root]:
        path.chmod(0o555)
    assert code_of(root) == here
    for path in [*root.rglob("*"), root]:
        path.chmod(0o755)
    compileall.compile_dir(root, legacy=True, quiet=1)
    for path in root.rglob("*.py"):
        path.unlink()
    assert code_of(root) == "None"


def test_the_digest_is_made_once_a_process(monkeypatch):
    first = task.here()["code"]
    monkeypatch.setattr(hashlib, "sha256", lambda *args: pytest.fail("it is made again"))
    assert task.reader()()["code"] == first


def test_without_sources_the_version_decides():
    ours = task.here()
    assert task.differing("a worker", ours | {"code": None}, ours) is None
    assert task.differing("a worker", ours, ours | {"code": None}) is None
    other = task.differing("a worker", ours | {"code": "0"}, ours)
    assert other.startswith(
        f"client: a worker has other code of sven_ref {sr.__version__}, though the version is the same"
    )
    assert task.differing("a worker", ours | {"code": "0", "sven_ref": "0"}, ours).startswith(
        "client: a worker has sven_ref 0;"
    )


OLDER = {  # what an older checkout with this version's number may be
    "another line": lambda package: append(package / "solvers" / "gram.py", "\nx = 1\n"),
    "a module less": lambda package: (package / "sharded" / "task.py").unlink(),
    "a room less": lambda package: shutil.rmtree(package / "factored"),
}


@pytest.mark.parametrize("who", ["the workers", "the scheduler", "both"])
@pytest.mark.parametrize("how", OLDER)
def test_workers_of_other_code_with_the_same_version_are_refused(tmp_path, how, who, capsys):
    """They made other updates, silently; `train` had begun a run by then."""
    root = copied(tmp_path / "older")
    OLDER[how](root / "sven_ref")
    roots = {
        "of_scheduler": root if who != "the workers" else ROOT,
        "of_workers": root if who != "the scheduler" else ROOT,
    }
    arguments = ["train", "--task", "toy", "--optimizer", "sven", "--n-train", "64", "--epochs", "1"]
    with separate_cluster(tmp_path, **roots) as (address, _), connect(scheduler=address) as client:
        client.wait_for_workers(1, timeout=60)
        theirs = "has other code of sven_ref" if how != "a room less" else "has (other code of|no) sven_ref"
        with pytest.raises(ClusterError, match=rf"^client: (tcp://.*|the scheduler) {theirs}") as raised:
            ShardedProblem(PROBLEM, client)
        assert "\n" not in str(raised.value)
        assert cli.main([*arguments, "--out", str(tmp_path / "run"), "--scheduler", address]) == 1
    error = capsys.readouterr().err
    assert re.match(rf"sven-ref: error: client: .* {theirs}", error)
    assert error.count("\n") == 1
    assert "--resume" not in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("who", ["the scheduler", "both"])
@pytest.mark.parametrize("how", ["a module less", "a room less"])
def test_code_that_is_not_there_is_a_cluster_error(tmp_path, how, who, monkeypatch, capsys):
    """Where no versions can be read: Dask says `Error during deserialization of the task graph`."""
    root = copied(tmp_path / "older")
    OLDER[how](root / "sven_ref")
    monkeypatch.setattr(Workers, "check_versions", lambda self: None)
    roots = {"of_scheduler": root, "of_workers": root if who == "both" else ROOT}
    arguments = ["train", "--task", "toy", "--optimizer", "sven", "--n-train", "64", "--epochs", "1"]
    with separate_cluster(tmp_path, **roots) as (address, _), connect(scheduler=address) as client:
        client.wait_for_workers(1, timeout=60)
        with pytest.raises(ClusterError, match=r"^client: .* must be able to import .*\(\w+: .*\)$") as raised:
            step(ShardedProblem(PROBLEM, client))
        assert "\n" not in str(raised.value)
        assert cli.main([*arguments, "--out", str(tmp_path / "run"), "--scheduler", address]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sven-ref: error: client: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


# --- what is no client, and what can't be sent


@pytest.mark.parametrize("wrong", [None, 5, "tcp://127.0.0.1:8786", object, "Client", "LocalCluster", connect, "fake"])
def test_what_is_no_client(client, wrong):
    fake = type("Fake", (), {"register_plugin": print, "status": "running"})()
    wrong = {"Client": distributed.Client, "LocalCluster": client.cluster, "fake": fake}.get(wrong, wrong)
    with pytest.raises(ArgumentError, match=r"client is a \w+: must be a distributed.Client, as of"):
        ShardedProblem(PROBLEM, wrong)


def test_an_asynchronous_client(client):
    """dask/dask#8840, dask/distributed#4820: as in a notebook."""

    async def tried():
        async with distributed.Client(client.scheduler.address, asynchronous=True) as other:
            with pytest.raises(ArgumentError, match=r"client is asynchronous, as of Client\(asynchronous=True\)"):
                ShardedProblem(PROBLEM, other)
            return await asyncio.to_thread(lambda: step(ShardedProblem(PROBLEM, other)))

    assert np.array_equal(asyncio.run(tried()), step(ShardedProblem(PROBLEM, client)))


def test_a_client_that_waits_may_be_used_where_a_loop_runs(client):
    async def tried():
        return step(ShardedProblem(PROBLEM, client))

    assert np.array_equal(asyncio.run(tried()), step(ShardedProblem(PROBLEM, client)))


class Holds:
    """A loss, a model, a part that holds something."""

    def __init__(self, thing):
        self.thing = thing

    def __call__(self, *_):
        raise AssertionError


class Refuses(Holds):
    def __reduce__(self):
        raise RuntimeError("not me")


THINGS = {
    "a lock": threading.Lock,
    "a generator": lambda: (i for i in ()),
    "a frame": sys._getframe,
}


@pytest.mark.parametrize("thing", ["a lock", "a generator", "a frame", "refuses"])
def test_what_can_not_be_sent(client, thing, caplog):
    held = Refuses(0) if thing == "refuses" else Holds(THINGS[thing]())
    for name, problem in (
        ("loss", sr.Problem(NET, held)),
        ("model", sr.Problem(held)),
        ("residuals", sr.Conditions(held)),
        ("loss", sr.Problem(NET, lambda f, y: held)),
    ):
        with pytest.raises(ArgumentError, match=f"{name} is a .* that can't be sent to workers"):
            ShardedProblem(problem, client)
    later = sr.Problem(NET)
    own = ShardedProblem(later, client)
    later.note = held
    with pytest.raises(ArgumentError, match="can't be sent to workers"):
        own.residuals(THETA, BATCH)
    parts = [BATCH, held]
    with pytest.raises(ArgumentError, match=r"parts\[1\] is a .* that can't be sent to workers"):
        ShardedProblem(PROBLEM, client).scatter(parts)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING and r.name.startswith("sven_ref")]


# --- memory


def test_nothing_is_kept_of_a_step():
    """No span, group, key or message of Dask stays, however many steps there are (tests/benchmarks/bench_memory.py)."""
    from dask.utils import key_split

    with connect(1) as client:
        sharded = ShardedProblem(PROBLEM, client, 2)
        scheduler = client.cluster.scheduler
        sizes = []
        for _ in range(3):
            for _ in range(8):
                step(sharded)
            time.sleep(0.5)
            stream = next(iter(scheduler.stream_comms.values()))
            sizes.append((len(scheduler.task_groups), len(scheduler.task_prefixes), len(stream.recent_message_log)))
        assert sizes[1] == sizes[2]
        assert "spans" not in scheduler.extensions
        assert key_split.cache_info().currsize <= 1000 + 50


def test_a_cluster_that_adapts_is_asked_for_workers():
    net = sr.MLP((1, 3, 1))
    with (
        distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        cluster.adapt(minimum=0, maximum=1)
        sharded = ShardedProblem(sr.Problem(net), client, 2)
        _, info = sr.step(sharded, net.init(0), (np.ones((6, 1)), np.zeros((6, 1))), lr=0.1)
    assert info.rank == 1
