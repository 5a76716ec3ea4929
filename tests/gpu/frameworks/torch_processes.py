#!/usr/bin/env python3
"""torch.multiprocessing: tensors on the GPU that processes hand to each other, and events between them."""
from result import case, holds, main, need, tell

torch = need("torch")
multiprocessing = need("torch.multiprocessing")
TIMEOUT = 60  # seconds for one process


def double_in_place(queue, done):
    tensor = queue.get(timeout=TIMEOUT)
    tensor.mul_(2)
    torch.cuda.synchronize()
    done.put(float(tensor.sum()))
    del tensor


def produce(queue, release):
    tensor = torch.arange(100_000, dtype=torch.float32, device="cuda")
    queue.put(tensor)
    queue.put(tensor[500:600])  # a view: the same allocation, another offset
    release.wait(TIMEOUT)


def wait_and_add(queue, done):
    event_handle, tensor = queue.get(timeout=TIMEOUT)
    event = torch.cuda.Event.from_ipc_handle(torch.cuda.current_device(), event_handle)
    torch.cuda.current_stream().wait_event(event)
    tensor.add_(1)
    torch.cuda.synchronize()
    done.put(True)
    del tensor


def started(target, *arguments):
    process = context().Process(target=target, args=arguments)
    process.start()
    return process


def ended(process):
    process.join(TIMEOUT)
    if process.exitcode is None:
        process.kill()
    return process.exitcode == 0


def context():
    return multiprocessing.get_context("spawn")


@case
def to_a_child():
    queue, done = context().Queue(), context().Queue()
    child = started(double_in_place, queue, done)
    tensor = torch.arange(10_000, dtype=torch.float32, device="cuda")
    queue.put(tensor)
    total = done.get(timeout=TIMEOUT)
    holds("the child reads it", total == 2 * sum(range(10_000)), total)
    holds("the parent sees what the child wrote", torch.equal(tensor.cpu(), 2 * torch.arange(10_000, dtype=torch.float32)))
    holds("the child ends well", ended(child))


@case
def from_a_child():
    queue, release = context().Queue(), context().Event()
    child = started(produce, queue, release)
    tensor, view = queue.get(timeout=TIMEOUT), queue.get(timeout=TIMEOUT)
    holds("whole", torch.equal(tensor.cpu(), torch.arange(100_000, dtype=torch.float32)))
    holds("view", torch.equal(view.cpu(), torch.arange(500, 600, dtype=torch.float32)))
    view.zero_()
    holds("one memory", float(tensor[500:600].abs().sum()) == 0)
    tell("sum", tensor.double().sum())
    del tensor, view
    release.set()
    holds("the child ends well", ended(child))


@case
def events():
    queue, done = context().Queue(), context().Queue()
    child = started(wait_and_add, queue, done)
    event = torch.cuda.Event(enable_timing=False, interprocess=True)
    tensor = torch.zeros(1 << 20, device="cuda")
    for _ in range(50):
        tensor.add_(1)
    event.record()
    queue.put((event.ipc_handle(), tensor))
    holds("the child answers", done.get(timeout=TIMEOUT))
    holds("the child waited for the event", bool((tensor == 51).all()), float(tensor[0]))
    holds("the child ends well", ended(child))


@case
def shared_model():
    torch.manual_seed(18)
    net = torch.nn.Linear(50, 50).cuda().share_memory()
    before = net.weight.detach().clone()
    queue, done = context().Queue(), context().Queue()
    child = started(double_in_place, queue, done)
    queue.put(net.weight.detach())
    done.get(timeout=TIMEOUT)
    holds("weights are shared", torch.equal(net.weight.detach(), 2 * before))
    holds("the child ends well", ended(child))


if __name__ == "__main__":
    main()
