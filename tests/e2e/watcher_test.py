"""The process that measures the GPUs: one for as long as the manager lives; its death hurts nobody."""
import os
import signal
import unittest

from harness import *


class Watcher(WithManager):
    arguments = ("--software-gpus", "2", "--software-memory", "4GiB", "--metrics-interval", "1s")

    def watchers(self):
        """Processes of this manager that measure."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or not alive(int(entry)) or not measures(int(entry)):
                continue
            try:
                with open("/proc/%s/stat" % entry) as stat:
                    if int(stat.read().rpartition(")")[2].split()[1]) == self.manager.pid:
                        found.append(int(entry))
            except OSError:
                pass
        return found

    def test_one_process_measures_again_and_again(self):
        first = self.watchers()
        self.assertEqual(len(first), 1)
        ticks = self.ticks(first[0])
        for _ in range(3):
            self.assertEqual(self.run_cli("smi").returncode, 0)
        wait_until(lambda: self.ticks(first[0]) > ticks + 2, "it was asked several times")
        self.assertEqual(self.watchers(), first)

    def ticks(self, pid):
        """How often it has woken up: the waits of the kernel's count."""
        with open("/proc/%d/status" % pid) as status:
            return sum(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))

    def test_its_death_is_made_up_for(self):
        holder = self.start_cli("run", "-n", "1", "-m", "1000", "--", "sh", "-c", "echo up; read -r line; echo done")
        self.assertEqual(holder.stdout.readline(), b"up\n")
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
            before = self.watchers()
            self.assertEqual(len(before), 1)
            os.kill(before[0], number)
            wait_until(lambda: not alive(before[0]), "it is gone")
            wait_until(lambda: self.watchers() and self.watchers() != before, "there is another")
            server = self.manager.ask("GET", "/v1/server")[1]
            self.assertEqual((server["inventory_error"], len(server["gpus"])), ("", 2))
            self.assertEqual(self.manager.free(), [3096, 4096])
        self.assertEqual(holder.communicate(b"\n", DEADLINE)[0], b"done\n")
        self.assertEqual(holder.returncode, 0)
        self.assertEqual(len(self.manager.leases()), 0)

    def test_it_ends_with_the_manager(self):
        watcher, = self.watchers()
        self.manager.process.kill()
        wait_until(lambda: not alive(watcher), "it is gone after kill -9 of the manager")
        self.manager.close()
        self.manager = Manager(*self.arguments)
        watcher, = self.watchers()
        self.assertEqual(self.manager.stop(), 0)
        wait_until(lambda: not alive(watcher), "it is gone after the manager's end")


if __name__ == "__main__":
    unittest.main(verbosity=2)
