// bitfusion_bench: the micro cases against one driver. One JSON line a case: {"case", "unit", "value" (median
// of the repetitions), "least", "most", "repetitions"}, with "rate" in GB/s where bytes move. Results are
// checked: a wrong one is an {"case", "error"} line and exit code 1.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "bench/program.h"
#include "device/device.h"
#include "device/soft/soft_device.h"

namespace {

using namespace bitfusion;
using Clock = std::chrono::steady_clock;

double microseconds_of(const bench::Case& c, unsigned n) {
    const auto begin = Clock::now();
    c.run(n);
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / n;
}

bool measure(const bench::Case& c, int repetitions) {
    std::vector<double> times;
    try {
        for (int i = -1; i < repetitions; ++i) {  // one to warm up
            if (c.before) c.before();
            const double time = microseconds_of(c, c.operations);
            if (i >= 0) times.push_back(time);
            if (c.after) c.after();
        }
    } catch (const bench::Failure& failure) {
        printf("{\"case\": \"%s\", \"error\": \"%s\"}\n", c.name.c_str(), failure.what.c_str());
        return false;
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    printf(
        "{\"case\": \"%s\", \"unit\": \"us\", \"value\": %.4g, \"least\": %.4g, \"most\": %.4g, "
        "\"repetitions\": %d",
        c.name.c_str(), median, times.front(), times.back(), repetitions);
    if (c.bytes != 0) printf(", \"rate\": %.4g", c.bytes / median / 1e3);
    printf("}\n");
    fflush(stdout);
    return true;
}

// For many processes at once: when a byte comes on standard input, the operation again and again for so long.
// What is reported are all operations and the time that they took, and the times of single ones.
bool run_for(const bench::Case& c, double seconds) {
    std::vector<double> times;
    double taken = 0;
    try {
        if (c.before) c.before();
        c.run(1);
        printf("ready\n");
        fflush(stdout);
        char go = 0;
        if (read(STDIN_FILENO, &go, 1) != 1) return false;
        const auto begin = Clock::now();
        while ((taken = std::chrono::duration<double>(Clock::now() - begin).count()) < seconds)
            times.push_back(microseconds_of(c, 1));
        if (c.after) c.after();
    } catch (const bench::Failure& failure) {
        printf("{\"case\": \"%s\", \"error\": \"%s\"}\n", c.name.c_str(), failure.what.c_str());
        return false;
    }
    const size_t count = times.size();
    std::sort(times.begin(), times.end());
    printf(
        "{\"case\": \"%s\", \"operations\": %zu, \"seconds\": %.6g, \"median\": %.4g, \"percentile_99\": "
        "%.4g}\n",
        c.name.c_str(), count, taken, times[count / 2], times[count * 99 / 100]);
    return true;
}

// For exact counts: the operation alone, after one that fills caches.
bool count_only(const bench::Program& program, const bench::Case& c, unsigned operations) {
    try {
        if (c.before) c.before();
        c.run(operations);
        if (c.after) c.after();
        uint32_t word = 0;  // whoever reads waits for everything that was posted before, so that it counts
        BENCH_OK(program.cuda.cuMemcpyDtoH_v2(&word, program.memory, sizeof word));
        return true;
    } catch (const bench::Failure& failure) {
        fprintf(stderr, "%s: %s\n", c.name.c_str(), failure.what.c_str());
        return false;
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::string target = "lib:libcuda.so.1";
    std::vector<std::string> wanted;
    int repetitions = 9;
    unsigned exactly = 0;
    double seconds = 0;
    size_t bulk_mib = 256;
    CLI::App app("The micro cases of bitfusion's benchmark");
    app.add_option("--target", target, "soft, or lib:<path of a libcuda.so.1>");
    app.add_option("--case", wanted, "only these (default: all)");
    app.add_option("--repetitions", repetitions, "of each case")->check(CLI::Range(1, 1000));
    app.add_option("--exactly", exactly,
                   "run the operation that often and measure nothing, for counters around it");
    app.add_option("--for", seconds,
                   "say 'ready', wait for a byte on standard input, and run the one case for so many seconds")
        ->check(CLI::Range(0.01, 600.0));
    app.add_option("--bulk-mib", bulk_mib, "size of the large copies")->check(CLI::Range(1, 4096));
    CLI11_PARSE(app, argc, argv);

    const auto begin = Clock::now();
    bench::Program program;
    const Status opened = target == "soft"
                              ? soft::open_soft_device(soft::SoftOptions{}, &program.cuda)
                              : open_driver_library(target.substr(target.find(':') + 1), &program.cuda);
    if (!opened) {
        fprintf(stderr, "bitfusion_bench: %s\n", opened.error().what.c_str());
        return 2;
    }
    bool good = true;
    try {
        program.open(bulk_mib << 20);
    } catch (const bench::Failure& failure) {
        fprintf(stderr, "bitfusion_bench: %s\n", failure.what.c_str());
        return 2;
    }
    const double first = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    std::vector<bench::Case> cases = bench::launch_cases(program);
    for (auto more : {bench::object_cases(program), bench::copy_cases(program)})
        cases.insert(cases.end(), more.begin(), more.end());
    const auto asked = [&](const std::string& name) {
        return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
    };
    for (const std::string& name : wanted) {
        const bool known =
            name == "first_kernel" ||
            std::any_of(cases.begin(), cases.end(), [&](const bench::Case& c) { return c.name == name; });
        if (known) continue;
        fprintf(stderr, "bitfusion_bench: there is no case '%s'\n", name.c_str());
        return 2;
    }
    if (seconds != 0) {
        const auto only = std::find_if(cases.begin(), cases.end(), [&](const bench::Case& c) {
            return !wanted.empty() && c.name == wanted[0];
        });
        if (only == cases.end()) {
            fprintf(stderr, "bitfusion_bench: --for needs the --case that it is about\n");
            return 2;
        }
        return run_for(*only, seconds) ? 0 : 1;
    }
    if (exactly == 0 && asked("first_kernel"))  // cuInit to the end of the first kernel, once a process
        printf("{\"case\": \"first_kernel\", \"unit\": \"us\", \"value\": %.4g}\n", first);
    for (const bench::Case& c : cases) {
        if (!asked(c.name)) continue;
        good = (exactly != 0 ? count_only(program, c, exactly) : measure(c, repetitions)) && good;
    }
    return good ? 0 : 1;
}
