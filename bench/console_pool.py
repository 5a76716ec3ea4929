#!/usr/bin/env python3
"""How soon each page of the console has its data from a real manager in a large pool, and what the manager weighs.

The manager is real, with its etcd, its TLS and its own 8 software GPUs; the other servers, 8 GPUs each, are this
program, which speaks to the manager as servers of a pool do, once a second each. Clients are real tokens with real
leases of half a GPU each. The history has 30 days of this server, of the pool and of every client: what each of the other
servers would have of itself, that server would tell.

usage: console_pool.py [--build build] [--servers 100] [--clients 2000] [--waiting 40] [--rounds 7] [--json FILE]
Needs etcd (Debian package etcd-server) and the targets bitfusion, bitfusion_worker and fill_history. The exit code is 1
where a page needs more than 500 ms (the median of its rounds) or the manager more than 300 MB.
"""
import argparse
import base64
import http.client
import json
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))

GPU_MIB = 81920
GPUS = 8
MOST_MS = 500
MOST_MB = 300
DAY = 86400


class Line:
    """A connection that is kept, and taken up again when the other side has closed it."""

    def __init__(self, manager, authority):
        self.manager = manager
        self.trust = ssl.create_default_context(cadata=authority)
        self.trust.check_hostname = False
        self.connection = None

    def ask(self, method, path, body=None, **headers):
        text = json.dumps(body) if isinstance(body, dict) else body
        if body is not None:
            headers["Content-Type"] = "application/json"
        for again in (True, False):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection(*self.manager.address("control"), timeout=60,
                                                                  context=self.trust)
                self.connection.request(method, path, text, {"Accept-Encoding": "identity", **headers})
                response = self.connection.getresponse()
                data = response.read()
                return response.status, json.loads(data) if data.startswith((b"{", b"[")) else data
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
                if not again:
                    raise


class Servers(threading.Thread):
    """All the servers that are not there: each says once a second that it is, and what it knows of its leases."""

    def __init__(self, line, secret, count):
        super().__init__(daemon=True)
        self.line = line
        self.secret = secret
        self.known = {self.name_of(number): set() for number in range(1, count)}
        self.over = {name: set() for name in self.known}
        self.ended = threading.Event()
        self.complete = threading.Event()
        self.refused = ""

    @staticmethod
    def name_of(number):
        return "simulated-%04d" % number

    def record(self, name):
        number = int(name[-4:])
        gpus = [{"ordinal": gpu, "memory_mib": GPU_MIB, "uuid": "GPU-%04d-%d" % (number, gpu),
                 "name": "NVIDIA H100 80GB HBM3", "capability": "9.0"} for gpu in range(GPUS)]
        return {"key": "pool/server/" + name,
                "value": json.dumps({"id": name, "number": 0, "address": "10.9.%d.%d:56001" % (number >> 8, number & 255),
                                     "hostname": "gpu-host-%04d" % number, "cuda_version": "12.4", "driver_version": "550.54",
                                     "has_rdma": False, "accepts": True, "instance": "i" + name, "gpus": gpus})}

    def tell(self, name):
        leases = sorted(self.known[name])
        status, orders = self.line.ask("POST", "/v1/cluster/attendance",
                                       {"server": self.record(name), "leaving": False, "leases": leases, "heard": leases,
                                        "used": leases, "over": sorted(self.over[name]), "ends": {}},
                                       Authorization="Bearer " + self.secret)
        if status != 200 or orders["error"]:
            self.refused = str(orders)
            return
        records = [json.loads(entry["value"]) for entry in orders["leases"]]
        self.over[name] = {lease["id"] for lease in records if lease["state"] == "ending"}
        self.known[name] = {lease["id"] for lease in records} - self.over[name]

    def run(self):
        while not self.ended.is_set():
            began = time.monotonic()
            for name in self.known:
                self.tell(name)
                if self.ended.is_set():
                    return
            self.complete.set()
            self.ended.wait(max(0.0, 1 - (time.monotonic() - began)))


def etcd_text(text):
    return base64.b64encode(text.encode()).decode()


def etcd(endpoint, path, body):
    request = urllib.request.Request(endpoint + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def weight(pid):
    """(now, at most) in MB"""
    with open("/proc/%d/status" % pid) as status:
        text = status.read()
    return [int(re.search(name + r":\s+(\d+)", text).group(1)) * 1024 / 1e6 for name in ("VmRSS", "VmHWM")]


def history(names, seconds):
    now = int(time.time())
    return "/v1/history?" + "&".join(["series=" + urllib.parse.quote(name, safe="") for name in names] +
                                     ["from=%d" % (now - seconds), "to=%d" % now, "points=300"])


def series_of(client):
    return "client/node-%04d/gpus_allocated" % client


def pages(server, gpus, clients, interfaces):
    """What each page asks for, as web/src/page has it: requests at the same time are one after the other here. A path that is a
    list is another one each time, as it is for readers who look at one client after the other."""
    def gpu(*what):
        return [["gpu/%s/%s" % (one, kind) for one in gpus for kind in what]]
    pool = ["pool/gpus", "pool/gpus_allocated", "server/gpus", "server/gpus_allocated"]
    of = "/v1/servers/" + server
    found = {}
    for period, seconds in (("5m", 300), ("24h", DAY), ("30d", 30 * DAY)):
        found["cluster, %s" % period] = ["/v1/servers", "/v1/clients", "/v1/claims", history(pool, seconds)]
        found["a server: allocation, %s" % period] = [of, history(gpu("allocated_mib", "utilization_percent")[0], seconds)]
        found["a server: memory and compute, %s" % period] = [
            of, history(gpu("memory_mib", "allocated_mib", "memory_used_mib", "utilization_percent")[0], seconds)]
        found["a server: network, %s" % period] = [of, "/v1/history?prefix=net/", history(interfaces or ["net/none"], seconds)]
        found["a client, %s" % period] = ["/v1/clients", [history([series_of(one)], seconds) for one in clients], "/v1/sessions", "/v1/servers"]
    found.update({
        "servers": ["/v1/servers"], "a server: sessions": [of, "/v1/sessions", "/v1/servers"], "a server: log": [of + "/logs?level=info"],
        "a server: health": [of + "/health"], "clients": ["/v1/clients"], "sessions": ["/v1/sessions", "/v1/servers"], "queue": ["/v1/claims"],
        "tokens": ["/v1/tokens"], "users": ["/v1/users"], "activity": ["/v1/audit?limit=100"],
        "settings": ["/v1/settings", "/v1/backups"], "about": ["/v1/server", "/v1/about"]})
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--waiting", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    asked = parser.parse_args()
    os.environ["BITFUSION_BUILD"] = os.path.abspath(asked.build)
    import cluster
    import harness

    def said(text):
        print("%7.1f s  %s" % (time.monotonic() - began, text), file=sys.stderr, flush=True)
    began = time.monotonic()
    store = cluster.Etcd(1)
    scratch = tempfile.TemporaryDirectory(prefix="bitfusion-large-pool-")
    state = os.path.join(scratch.name, "state")
    ports = cluster.free_ports(30)[28:]

    def start():
        return harness.Manager("--etcd", store.endpoints[0], "--software-gpus", str(GPUS), "--software-memory", "80GiB",
                               "--history-series", "4096", "--auto-release-timeout", "1h", secure=True, state=state,
                               listen_on=ports)
    manager = start()
    try:
        own = manager.ask("GET", "/v1/server")[1]
        series = manager.ask("GET", "/v1/history")[1]["series"]
        interfaces = [name for name in series if name.startswith("net/")]
        names = [name for name in series if not name.startswith("net/")] + ["pool/gpus", "pool/gpus_allocated", "pool/waiting"]
        names += ["net/eth%d/%s_bytes_per_second" % (i, way) for i in range(2) for way in ("rx", "tx")] if not interfaces else interfaces
        interfaces = [name for name in names if name.startswith("net/")]
        gpus = sorted({name.split("/")[1] for name in series if name.startswith("gpu/")})
        names += [series_of(number) for number in range(asked.clients)]
        with open(os.path.join(manager.client_dir, "ca.crt")) as file:
            authority = file.read()
        admin = {"Authorization": "Bearer " + manager.token(), "Bitfusion-Machine": "0" * 64}
        manager.stop()
        subprocess.run(["rm", "-rf", os.path.join(state, "history")], check=True)
        subprocess.run([os.path.join(asked.build, "bench", "fill_history"), os.path.join(state, "history"), *sorted(set(names))],
                       check=True)
        said("30 days of %d series are filled" % len(set(names)))

        endpoint = store.endpoints[0]
        everything = etcd(endpoint, "/v3/kv/range", {"key": etcd_text("\0"), "range_end": etcd_text("\0")})["kvs"]
        entries = {base64.b64decode(entry["key"]).decode(): base64.b64decode(entry["value"]).decode() for entry in everything}
        secret_key = next(key for key in entries if key.endswith("cluster/secret"))
        prefix = secret_key[:-len("cluster/secret")]
        for number in range(1, asked.servers):
            name = Servers.name_of(number)
            address = "10.9.%d.%d" % (number >> 8, number & 255)
            etcd(endpoint, "/v3/kv/put",
                 {"key": etcd_text(prefix + "cluster/member/" + name),
                  "value": etcd_text(json.dumps({"name": "gpu-host-%04d" % number, "control": address + ":56001",
                                                 "data": address + ":55001", "pin": "", "authority": False}))})
        manager = start()
        servers = Servers(Line(manager, authority), entries[secret_key], asked.servers)
        servers.start()
        assert servers.complete.wait(120) and not servers.refused, servers.refused
        line = Line(manager, authority)
        harness.wait_until(lambda: sum(one["up"] for one in line.ask("GET", "/v1/servers", **admin)[1]["servers"]) == asked.servers,
                           "all servers are up", 120)
        said("%d servers are up" % asked.servers)

        tokens, waiting = [], []
        for number in range(asked.clients):
            status, token = line.ask("POST", "/v1/tokens", {"description": "rack %d, machine %d" % (number % 20, number)}, **admin)
            assert status == 201, token
            tokens.append({"Authorization": "Bearer " + token["token"], "Bitfusion-Machine": "%064x" % number,
                           "Bitfusion-Host": "node-%04d" % number, "Bitfusion-Version": own["version"]})
        said("%d tokens are made" % asked.clients)
        room = asked.servers * GPUS * 2
        claim = {"gpus": 1, "memory_mib": GPU_MIB // 2, "timeout_s": 3600, "persistent": True,
                 "client": {"host": "node", "pid": 1, "user": "u", "program": "python train.py"}}
        for number, token in enumerate(tokens):
            status, lease = line.ask("POST", "/v1/leases", claim, **token)
            assert status in (201, 202), lease
            if status == 202 and number < asked.clients - asked.waiting:
                line.ask("DELETE", "/v1/claims/" + lease["id"], **token)
            elif status == 202:
                waiting.append((lease["id"], token))
        said("%d clients have asked; room for %d of them" % (asked.clients, room))
        for number in range(120):
            line.ask("PUT", "/v1/settings", {"quota": 64 + number % 2}, **admin)
        # The history takes all of them up at its next two measurements.
        harness.wait_until(lambda: len(line.ask("GET", "/v1/history?prefix=client/", **admin)[1]["series"]) >=
                           min(room, asked.clients - asked.waiting), "every client that has GPUs is measured", 60)

        table, worst = {}, []
        listed = line.ask("GET", "/v1/clients", **admin)[1]["clients"]
        counts = {"servers": len(line.ask("GET", "/v1/servers", **admin)[1]["servers"]), "clients": len(listed),
                  "gpus": asked.servers * GPUS, "sessions": len(line.ask("GET", "/v1/sessions", **admin)[1]["sessions"]),
                  "waiting": len(line.ask("GET", "/v1/claims", **admin)[1]["claims"]), "tokens": asked.clients}
        said("measuring: %s" % counts)
        # What is measured must be there: half hours of 30 days, joined to at most 300 points.
        filled = ["pool/gpus_allocated", "gpu/%s/allocated_mib" % gpus[0], interfaces[0], *map(series_of, range(asked.clients))]
        for at in range(0, len(filled), 64):
            found = line.ask("GET", history(filled[at:at + 64], 30 * DAY), **admin)[1]["range"]
            assert set(found) == set(filled[at:at + 64]), set(filled[at:at + 64]) - set(found)
            for name, one in found.items():
                assert len(one["points"]) > 200, (name, len(one["points"]))
        # Readers look at clients all over the store.
        looked_at = [number * 7919 % asked.clients for number in range(asked.rounds)]
        for page, paths in pages(own["id"], gpus, looked_at, interfaces).items():
            took = []
            for number in range(asked.rounds):
                for claim_id, token in waiting[:: max(1, len(waiting))]:
                    line.ask("GET", "/v1/claims/" + claim_id, **token)
                start_of_page = time.perf_counter()
                for path in (path if isinstance(path, str) else path[number] for path in paths):
                    status, body = line.ask("GET", path, **admin)
                    assert status == 200 or "net/none" in path, (path, status, body)
                took.append(1000 * (time.perf_counter() - start_of_page))
            for claim_id, token in waiting:
                line.ask("GET", "/v1/claims/" + claim_id, **token)
            table[page] = {"median_ms": round(statistics.median(took), 1), "worst_ms": round(max(took), 1)}
            if table[page]["median_ms"] > MOST_MS:
                worst.append("%s: %.0f ms" % (page, table[page]["median_ms"]))
        now, most = weight(manager.pid)
        servers.ended.set()
        servers.join()
        disk = line.ask("GET", "/v1/about", **admin)[1]["history"]
        if most > MOST_MB:
            worst.append("the manager: %.0f MB" % most)
    finally:
        manager.close()
        store.close()
        scratch.cleanup()
    print("%s, %d series of history (%.0f MB on the disk)" % (", ".join("%d %s" % (n, what) for what, n in counts.items()),
                                                               disk["series"], disk["bytes"] / 1e6))
    print("| page | to its data, median | worst of %d |\n|---|---|---|" % asked.rounds)
    for page, row in table.items():
        print("| %s | %.0f ms | %.0f ms |" % (page, row["median_ms"], row["worst_ms"]))
    print("the manager: %.0f MB resident, %.0f MB at most" % (now, most))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"counts": counts, "pages": table, "resident_mb": round(now), "most_mb": round(most)}, file, indent=1)
    for text in worst:
        print("TOO MUCH: " + text)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
