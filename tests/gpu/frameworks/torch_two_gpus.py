#!/usr/bin/env python3
"""Two GPUs in one process: copies from one to the other, events across them, DataParallel, NCCL, and ranks of their own."""
import os
import socket

from result import Skip, case, holds, main, need, tell

torch = need("torch")
TIMEOUT = 60  # seconds for one process


def both():
    if torch.cuda.device_count() < 2:
        raise Skip("there is one GPU only (--gpus 2)")
    return torch.device("cuda:0"), torch.device("cuda:1")


@case
def copies():
    first, second = both()
    torch.manual_seed(1)
    source = torch.randn(3_000_001, device=first)
    there = source.to(second)
    back = there.to(first)
    holds("the same there and back", torch.equal(back, source))
    strided = source[:3_000_000].view(1000, 3000).t()
    holds("strided", torch.equal(strided.to(second).cpu(), strided.cpu()))
    tell("sum", there.double().sum())


@case
def access():
    first, second = both()
    tell("either way", f"{torch.cuda.can_device_access_peer(0, 1)} {torch.cuda.can_device_access_peer(1, 0)}")
    holds("not itself", not torch.cuda.can_device_access_peer(0, 0))
    holds("they are two", torch.cuda.get_device_properties(first).uuid != torch.cuda.get_device_properties(second).uuid)


@case
def streams_of_two_gpus():
    first, second = both()
    a = torch.zeros(1 << 20, device=first)
    b = torch.zeros(1 << 20, device=second)
    ready = torch.cuda.Event()
    for _ in range(50):
        a.add_(1)
    ready.record(torch.cuda.current_stream(first))
    torch.cuda.current_stream(second).wait_event(ready)
    b.copy_(a, non_blocking=True)
    b.mul_(2)
    holds("in order", bool((b == 100).all()), float(b[0]))


@case
def data_parallel():
    first, _ = both()
    torch.manual_seed(2)
    net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)).to(first)
    parallel = torch.nn.DataParallel(net, device_ids=[0, 1])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    x = torch.randn(256, 64, device=first)
    y = torch.randint(0, 10, (256,), device=first)
    for _ in range(10):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(parallel(x), y)
        loss.backward()
        optimizer.step()
    tell("loss", loss)
    tell("weights", net[0].weight)


@case
def nccl_in_one_process():
    both()
    if not torch.cuda.nccl.is_available([torch.zeros(1, device="cuda:0")]):
        raise Skip("PyTorch has no NCCL here")
    tensors = [torch.full((1 << 20,), float(i + 1), device=f"cuda:{i}") for i in range(2)]
    torch.cuda.nccl.all_reduce(tensors)
    for tensor in tensors:
        torch.cuda.synchronize(tensor.device)
        holds(f"sum on {tensor.device}", bool((tensor == 3).all()), float(tensor[0]))


def rank_main(rank, port, answers):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    torch.cuda.set_device(rank)
    torch.distributed.init_process_group("nccl", rank=rank, world_size=2, device_id=torch.device("cuda", rank))
    torch.manual_seed(3)
    net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(32, 8).cuda(), device_ids=[rank])
    x = torch.full((16, 32), float(rank + 1), device="cuda")
    for _ in range(5):
        net.zero_grad()
        net(x).square().mean().backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= 0.01 * parameter.grad
    answers.put((rank, net.module.weight.detach().cpu().numpy()))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@case
def ranks():
    both()
    multiprocessing = need("torch.multiprocessing").get_context("spawn")
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    answers = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=rank_main, args=(rank, port, answers)) for rank in range(2)]
    for process in processes:
        process.start()
    weights = dict(answers.get(timeout=TIMEOUT) for _ in processes)
    for process in processes:
        process.join(TIMEOUT)
    holds("both end well", [process.exitcode for process in processes] == [0, 0])
    holds("both have the same weights", (weights[0] == weights[1]).all())
    tell("weights", weights[0])


if __name__ == "__main__":
    main()
