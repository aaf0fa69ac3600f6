"""The product as a process of its own, for clients in Python: the twin of `harness/product.mjs`.

Started on free ports in a data directory that vanishes, stopped by its process id only. Secrets that a test
learns go to `canaries.txt`, and no log may ever hold one of them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("BAILIWICK_BIN", ROOT / "target/debug/bailiwick"))
LOGS = Path(os.environ.get("BAILIWICK_TEST_LOG_DIR", ROOT / "target/test-logs"))
FLEET = os.environ.get("BAILIWICK_E2E_FLEET")
READY = "Bailiwick is ready."
READY_WITHIN_SECONDS = 60
STOPPED_WITHIN_SECONDS = 15
SHORTEST_CANARY = 6


def canary(*values: str | None) -> None:
    """Notes values that no log may ever hold."""
    LOGS.mkdir(parents=True, exist_ok=True)
    lines = [value for value in values if value and len(value) >= SHORTEST_CANARY]
    with open(LOGS / "canaries.txt", "a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Product:
    """`bailiwick up --demo`, running until `stop`; or the fleet that BAILIWICK_E2E_FLEET names, which runs on."""

    def __init__(self) -> None:
        if FLEET:
            self._process = None
            self._use_fleet(json.loads(Path(FLEET).read_text("utf-8")))
        else:
            self._start()
        canary(self.demo["application"]["client_secret"], self.demo["machine"]["client_secret"])
        canary(self.demo["user"]["password"], *(operator["password"] for operator in self.demo["operators"]))

    def _use_fleet(self, fleet: dict) -> None:
        self.data_dir, self.console_url, self.demo = Path(fleet["dataDir"]), fleet["consoleUrl"], fleet["demo"]

    def _start(self) -> None:
        if not BINARY.exists():
            raise FileNotFoundError(f"no product at {BINARY}: build it, or say where it is in BAILIWICK_BIN")
        self._home = Path(tempfile.mkdtemp(prefix="bailiwick-e2e-"))
        self.data_dir = self._home / "data"
        console, auth = _free_port(), _free_port()
        self.console_url = f"http://127.0.0.1:{console}"
        LOGS.mkdir(parents=True, exist_ok=True)
        self._log = LOGS / f"e2e-python-{os.getpid()}-{console}.log"
        self._banner = self._home / "banner"
        addresses = ["--console-addr", f"127.0.0.1:{console}", "--auth-addr", f"127.0.0.1:{auth}"]
        command = [str(BINARY), "up", "--demo", "--data-dir", str(self.data_dir), *addresses]
        # Settings of the test run are none of the product's, and unknown ones are errors to it.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BAILIWICK_")}
        with open(self._banner, "wb") as banner, open(self._log, "wb") as log:
            self._process = subprocess.Popen(command, cwd=self._home, env=environment, stdout=banner, stderr=log)
        try:
            self._wait_until_ready()
            self.demo = json.loads((self.data_dir / "demo.json").read_text("utf-8"))
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if READY in self._banner.read_text("utf-8") and self._answers("/readyz"):
                return
            time.sleep(0.05)
        raise RuntimeError(f"the product did not become ready:\n{self._log.read_text('utf-8')[-4000:]}")

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.console_url + path, timeout=2) as response:
                return response.status == 200
        except (urllib.error.URLError, TimeoutError):
            return False

    def stop(self) -> None:
        """Asks the process to stop, as Ctrl+C does, and removes its data."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)
