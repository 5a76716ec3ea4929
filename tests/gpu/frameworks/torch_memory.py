#!/usr/bin/env python3
"""What torch.cuda.memory says: the caching allocator's statistics, its limits, and the other allocators."""
from result import case, holds, main, need, tell

torch = need("torch")
MIB = 1 << 20


@case
def statistics():
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    blocks = [torch.empty(7 * MIB, dtype=torch.uint8, device="cuda") for _ in range(10)]
    stats = torch.cuda.memory_stats()
    for key in ("allocated_bytes.all.current", "reserved_bytes.all.current", "active.all.current", "num_alloc_retries",
                "num_ooms", "allocation.all.allocated"):
        tell(key, stats[key])
    del blocks
    tell("peak", torch.cuda.max_memory_allocated())
    torch.cuda.empty_cache()
    tell("reserved after emptying", torch.cuda.memory_reserved())


@case
def free_and_total():
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()
    free, total = torch.cuda.mem_get_info()
    holds("free is less than total", 0 < free < total, f"{free} {total}")
    tell("total", total)
    tell("total of the properties", torch.cuda.get_device_properties(0).total_memory)
    block = torch.empty(512 * MIB, dtype=torch.uint8, device="cuda")
    less, _ = torch.cuda.mem_get_info()
    holds("an allocation takes what it says", abs(free - less - block.numel()) <= 4 * MIB, free - less)
    del block
    torch.cuda.empty_cache()
    again, _ = torch.cuda.mem_get_info()
    holds("and gives it back", abs(again - free) <= 4 * MIB, again - free)


@case
def fraction():
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.empty(total // 20, dtype=torch.uint8, device="cuda")
        holds("the limit holds", False)
    except torch.cuda.OutOfMemoryError:
        holds("the limit holds", True)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@case
def snapshot():
    torch.cuda.memory._record_memory_history(max_entries=100)  # pylint: disable=protected-access
    x = torch.ones(3 * MIB, device="cuda")
    taken = torch.cuda.memory._snapshot()  # pylint: disable=protected-access
    torch.cuda.memory._record_memory_history(enabled=None)  # pylint: disable=protected-access
    holds("the block is in it", any(segment["total_size"] >= x.numel() * 4 for segment in taken["segments"]))


@case
def device_facts():
    facts = torch.cuda.get_device_properties(0)
    tell("name", facts.name)
    tell("capability", f"{facts.major}.{facts.minor}")
    tell("multiprocessors", facts.multi_processor_count)
    tell("architectures", " ".join(torch.cuda.get_arch_list()))


if __name__ == "__main__":
    main()
