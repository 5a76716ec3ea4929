"""The CLI against a real manager: outputs, exit codes, signals, errors."""
import json
import os
import re
import signal
import socket
import tempfile
import threading
import unittest

from harness import *


WAIT_FOR_SIGNAL = """
import signal, sys
number = int(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
print("up", flush=True)
signal.sigwait([number])
print("caught")
sys.exit(9)
"""


class Outputs(WithManager):
    def test_list_gpus(self):
        result = self.run_cli("list_gpus")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], " - server 0 (leader)  [%s]: running 0 tasks" % self.manager.control)
        self.assertEqual(len(lines), 3)
        for ordinal in range(2):
            self.assertRegex(lines[1 + ordinal],
                             r"^   \|- GPU \[%d\]: free memory \(4096 / 4096MiB\) \S.* \(\d+\.\d\)$" % ordinal)

    def test_list_gpus_json(self):
        document = json.loads(self.run_cli("list_gpus", "--json").stdout)
        self.assertEqual(document["schema"], 1)
        self.assertEqual(document["servers"][0]["address"], self.manager.control)
        self.assertEqual(document["servers"][0]["server"]["gpus"][1]["free_mib"], 4096)

    def test_smi(self):
        result = self.run_cli("smi")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual({len(line) for line in lines}, {90})
        self.assertEqual(lines[0], "+" + "-" * 88 + "+")
        self.assertRegex(lines[1], r"^\| %s +Driver Version: \S+ \|$" % re.escape(self.manager.control))
        self.assertEqual(sum("MB / 4096    MB" in line for line in lines), 4)

    def test_smi_shows_what_is_allocated(self):
        self.manager.lease(memory_mib=1000)
        self.assertIn("| 1000    MB / 4096    MB |", self.run_cli("smi").stdout)
        document = json.loads(self.run_cli("smi", "--json").stdout)
        self.assertEqual(document["servers"][0]["server"]["gpus"][0]["allocated_mib"], 1000)

    def test_smi_of_a_server_that_does_not_answer_is_a_box(self):
        result = self.run_cli("smi", "-l", self.manager.control + ";127.0.0.1:1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("| 127.0.0.1:1" + " " * 76 + "|\n+", result.stdout)
        self.assert_one_line(result.stderr, "cannot reach server 127.0.0.1:1")

    def test_version(self):
        result = self.run_cli("version")
        self.assertRegex(result.stdout, r"^Bitfusion version: \d+\.\d+\.\d+ release\n$")
        self.assertEqual(self.run_cli("v").stdout, result.stdout)
        self.assertEqual(json.loads(self.run_cli("version", "--json").stdout)["schema"], 1)

    def test_help(self):
        overview = self.run_cli("help").stdout
        self.assertTrue(overview.startswith("NAME:\n    bitfusion - "))
        for line in ("        version, v       Display full Bitfusion version",
                     "        list_gpus        List the available GPUs in a shared pool",
                     "        smi           Display smi-like info for all servers."):
            self.assertIn("\n" + line + "\n", overview)
        self.assertIn("--server_list", self.run_cli("help", "run").stdout)

    def test_ready_line(self):
        self.assertIn(self.manager.control, self.manager.ready_line)
        self.assertIn(self.manager.data, self.manager.ready_line)


class Run(WithManager):
    def test_banner_is_on_stderr_and_the_output_is_the_programs(self):
        result = self.run_cli("run", "-n", "1", "-p", "0.5", "--", "echo", "hello  world")
        self.assertEqual((result.returncode, result.stdout), (0, "hello  world\n"), result.stderr)
        stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        control = re.escape(self.manager.control)
        host, data_port = self.manager.address("data")
        self.assertRegex(
            result.stderr,
            r"^\[INFO\] {0} Query server {1} to claim client id: \S+\n"
            r"\[INFO\] {0} Query server {1} gpu availability\n"
            r"\[INFO\] {0} Choosing GPUs from server list \[{1}\]\n"
            r"\[INFO\] {0} Requesting GPUs \[0\] with 2048 MiB of memory from server 0, with version \S+\.\.\.\n"
            r"Requested resources:\nServer List: {1}\nClient idle timeout: 0 min\n"
            r"\[INFO\] {0} Locked 1 GPUs with partial memory 0\.5\n"
            r"\[INFO\] {0} Running client command 'echo hello  world' on 1 GPUs, with the following servers:\n"
            r"\[INFO\] {0} {2} {3} [0-9a-f-]{{36}} {4} \S+\n\n"
            r"\[INFO\] {0} Releasing GPUs\.\.\.\n\[INFO\] {0} Released GPUs on 1 servers\n$".format(
                stamp, control, re.escape(host), data_port, self.manager.address("control")[1]))

    def test_one_string(self):
        result = self.run_cli("run", "-n", "1", "sh -c 'echo \"a  b\" $0; exit 3' x\\ y")
        self.assertEqual((result.returncode, result.stdout), (3, "a  b x y\n"), result.stderr)

    def test_exit_codes(self):
        for script, code in (("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143)):
            self.assertEqual(self.run_cli("run", "-n", "1", "--", "sh", "-c", script).returncode, code, script)
        self.assertEqual(self.manager.leases(), [])

    def test_the_environment_reaches_the_programs_children(self):
        script = "sh -c 'sh -c \"env; cat\"'"
        result = self.run_cli("run", "-n", "1", "--", "sh", "-c", script, input="typed\n",
                              environment={"LD_LIBRARY_PATH": "/before", "CUDA_VISIBLE_DEVICES": "0"})
        environment = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
        cuda = os.path.realpath(os.path.join(BUILD, "lib", "bitfusion", "cuda"))
        self.assertEqual(environment["LD_LIBRARY_PATH"], cuda + ":/before")
        self.assertRegex(environment["BITFUSION_SESSION"], "^%s/[0-9a-f]{64}$" % re.escape(self.manager.data))
        self.assertEqual(environment["CUDA_VISIBLE_DEVICES"], "0")
        self.assertTrue(result.stdout.endswith("typed\n"))

    def test_partitions_beside_each_other_and_one_too_many(self):
        first = self.start_cli("run", "-n", "1", "-p", "0.66", "--", "sh", "-c", "echo up; read -r line")
        self.assertEqual(first.stdout.readline(), b"up\n")
        second = self.start_cli("run", "-n", "1", "-p", "0.33", "--", "sh", "-c", "echo up; read -r line")
        self.assertEqual(second.stdout.readline(), b"up\n")
        self.assertEqual(self.manager.free(), [4096 - 2703 - 1351, 4096])
        result = self.run_cli("run", "-n", "2", "-t", "0", "--", "true")
        self.assertEqual(result.returncode, 1)
        for process in (first, second):
            process.communicate(b"\n", DEADLINE)
            self.assertEqual(process.returncode, 0)
        self.assertEqual(self.manager.free(), [4096, 4096])

    def test_timeout_waits_for_room(self):
        holder = self.start_cli("run", "-n", "2", "--", "sh", "-c", "echo up; read -r line")
        self.assertEqual(holder.stdout.readline(), b"up\n")
        waiter = self.start_cli("run", "-n", "1", "-t", "30s", "--", "echo", "got it")
        for line in waiter.stderr:
            if b"Waiting up to 30 s for GPUs" in line:
                break
        holder.communicate(b"\n", DEADLINE)
        output, _ = waiter.communicate(timeout=DEADLINE)
        self.assertEqual((waiter.returncode, output), (0, b"got it\n"))

    def test_timeout_passes(self):
        lease = self.manager.lease(gpus=2)
        result = self.run_cli("run", "-n", "1", "-t", "1", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(sum("Waiting up to" in line for line in result.stderr.splitlines()), 1)
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 200)

    def test_whole_gpus_are_free_again_for_the_next_run(self):
        for _ in range(10):
            result = self.run_cli("run", "-n", "2", "--", "true")
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_missing_program_takes_nothing(self):
        before = self.manager.counters()["leases_granted"]
        result = self.run_cli("run", "-n", "1", "--", "no-such-program")
        self.assertEqual(result.returncode, 127)
        self.assert_one_line(result.stderr, "'no-such-program' was not found in PATH")
        result = self.run_cli("run", "-n", "1", "--", "/no/such/program")
        self.assertEqual(result.returncode, 127)
        result = self.run_cli("run", "-n", "1", "--", "/etc/passwd")
        self.assertEqual(result.returncode, 126)
        self.assert_one_line(result.stderr, "/etc/passwd")
        result = self.run_cli("run", "-n", "1", "--", "/tmp")
        self.assertEqual(result.returncode, 126)
        self.assertEqual(self.manager.counters()["leases_granted"], before)

    def test_impossible_requests(self):
        for arguments, part in ((("-n", "1", "-m", "4097"), "4096"), (("-n", "3"), "2")):
            result = self.run_cli("run", *arguments, "--", "true")
            self.assertEqual(result.returncode, 1)
            self.assertIn(part, result.stderr.splitlines()[-1])

    def test_signals_reach_the_program(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
            process = self.start_cli("run", "-n", "1", "--", "python3", "-c", WAIT_FOR_SIGNAL, str(int(number)))
            self.assertEqual(process.stdout.readline(), b"up\n")
            process.send_signal(number)
            output, _ = process.communicate(timeout=DEADLINE)
            self.assertEqual((process.returncode, output), (9, b"caught\n"), number)
        self.wait_for_no_lease()

    def test_a_program_that_dies_of_a_passed_signal(self):
        process = self.start_cli("run", "-n", "1", "--", "sh", "-c", "echo up; exec cat")
        self.assertEqual(process.stdout.readline(), b"up\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(DEADLINE), 143)
        self.wait_for_no_lease()

    def test_ctrl_c_of_a_terminal_reaches_the_program_once(self):
        import pty
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(BITFUSION, [BITFUSION, "run", "-n", "1", "--", "sh", "-c",
                                  "n=0; trap 'n=$((n+1)); echo caught $n' INT; echo up; read -r line; echo end $n"],
                      clean_environment(BITFUSION_SERVERS=self.manager.control))
        text = b""

        def read_to(part):
            nonlocal text
            while part not in text:
                ready, _, _ = select.select([terminal], [], [], DEADLINE)
                self.assertTrue(ready, text)
                text += os.read(terminal, 4096)
        try:
            read_to(b"up\r\n")
            os.write(terminal, b"\x03")
            read_to(b"caught 1\r\n")
            # The signal may have come before the shell began to read, or interrupted it.
            os.write(terminal, b"\n")
            read_to(b"\r\nend ")
            self.assertNotIn(b"caught 2", text)
            _, status = os.waitpid(pid, 0)
            pid = 0
            self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        finally:
            os.close(terminal)
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def test_local_runs_without_our_library(self):
        cuda = os.path.realpath(os.path.join(BUILD, "lib", "bitfusion", "cuda"))
        result = self.run_cli("local", "--", "sh", "-c", "env; exit 4",
                              environment={"BITFUSION_SESSION": "x", "LD_LIBRARY_PATH": cuda + ":/before"})
        self.assertEqual(result.returncode, 4)
        self.assertNotIn("BITFUSION_SESSION", result.stdout)
        self.assertIn("LD_LIBRARY_PATH=/before\n", result.stdout)
        self.assertEqual(self.run_cli("local", "no-such-program").returncode, 127)


class Servers(WithManager):
    def test_unreachable(self):
        for command in (("list_gpus",), ("smi",), ("run", "-n", "1", "--", "true")):
            result = self.run_cli(*command, environment={"BITFUSION_SERVERS": "127.0.0.1:1"})
            self.assertEqual(result.returncode, 1, command)
            self.assertIn("cannot reach server 127.0.0.1:1: Connection refused", result.stderr.splitlines()[-1])

    def test_not_a_manager(self):
        """Four kinds of nonsense: the data port, silence that ends, other text, JSON of another kind."""
        def serve(listener, answer):
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.recv(4096)
                connection.sendall(answer)
                connection.close()
        addresses = [self.manager.data]
        for answer in (b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
                       b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"):
            listener = socket.create_server(("127.0.0.1", 0))
            thread = threading.Thread(target=serve, args=(listener, answer))
            thread.start()
            self.addCleanup(thread.join)
            self.addCleanup(listener.close)
            self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
            addresses.append("127.0.0.1:%d" % listener.getsockname()[1])
        for address in addresses:
            result = self.run_cli("list_gpus", "-l", address)
            self.assertEqual(result.returncode, 1)
            self.assert_one_line(result.stderr, "server %s does not answer like a bitfusion manager" % address)

    def test_no_list(self):
        result = self.run_cli("list_gpus", environment={"BITFUSION_SERVERS": ""})
        if not os.path.exists("/etc/bitfusion/servers.conf"):
            self.assertEqual(result.returncode, 1)
            self.assert_one_line(result.stderr, "~/.bitfusion/servers.conf", "--server_list")

    def test_files_and_their_order(self):
        with tempfile.TemporaryDirectory() as home:
            os.mkdir(os.path.join(home, ".bitfusion"))
            own = os.path.join(home, ".bitfusion", "servers.conf")
            with open(own, "w") as out:
                out.write("# ours\n%s\n" % self.manager.control.replace(":", "   "))
            os.chmod(own, 0o400)
            unset = {"BITFUSION_SERVERS": "", "HOME": home}
            self.assertEqual(self.run_cli("list_gpus", environment=unset).returncode, 0)
            self.assertEqual(self.run_cli("list_gpus", environment=dict(unset, BITFUSION_SERVERS="127.0.0.1:1")).returncode, 1)
            self.assertEqual(self.run_cli("list_gpus", "-s", own).returncode, 0)
            self.assertEqual(self.run_cli("list_gpus", "-s", own, "-l", "127.0.0.1:1").returncode, 1)
            result = self.run_cli("list_gpus", "-s", home + "/none")
            self.assertEqual(result.returncode, 1)
            self.assert_one_line(result.stderr, home + "/none", "No such file")
            with open(os.path.join(home, "wrong"), "w") as out:
                out.write("10.0.0.1\nserver.example\n")
            result = self.run_cli("list_gpus", "-s", home + "/wrong")
            self.assert_one_line(result.stderr, "line 2", "server.example")

    def test_run_takes_the_next_server_when_one_is_down(self):
        result = self.run_cli("run", "-n", "1", "-l", "127.0.0.1:1;" + self.manager.control, "--", "echo", "ok")
        self.assertEqual((result.returncode, result.stdout), (0, "ok\n"))


class Usage(unittest.TestCase):
    def test_mistakes_are_one_line_and_status_2(self):
        for arguments in (("nonsense",), ("run",), ("run", "-n", "0", "true"), ("run", "-n", "1"),
                          ("run", "-n", "1", "-p", "0", "true"), ("run", "-n", "1", "-p", "x", "true"),
                          ("run", "-n", "1", "-m", "1G", "true"), ("run", "-n", "1", "-t", "soon", "true"),
                          ("run", "-n", "1", "--colour", "true"), ("list_gpus", "extra"), ("help", "nonsense"),
                          ("manager", "--backend", "cuda"), ("manager", "--control-port", "70000")):
            result = subprocess.run([BITFUSION, *arguments], capture_output=True, text=True, env=clean_environment(),
                                    timeout=DEADLINE)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
            self.assertTrue(result.stderr.startswith("bitfusion: "), result.stderr)

    def test_no_arguments_is_the_help(self):
        result = subprocess.run([BITFUSION], capture_output=True, text=True, env={}, timeout=DEADLINE)
        self.assertEqual(result.returncode, 0)
        self.assertIn("COMMANDS:", result.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
