// bitfusion_delay_line --to HOST:PORT [--round-trip-us N] [--gbit R]: prints "ready: <port>" and relays until
// its standard input ends. A line with a number there is another --gbit from then on.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "bench/delay_line.h"

int main(int argc, char** argv) {
    using namespace bitfusion;
    std::string to;
    double round_trip = 0;
    double gbit = 0;
    CLI::App app("A TCP relay that adds time and limits the rate");
    app.add_option("--to", to, "<IPv4 address>:<port>")->required();
    app.add_option("--round-trip-us", round_trip, "added to each round trip")->check(CLI::Range(0.0, 1e7));
    app.add_option("--gbit", gbit, "at most, per direction, all connections together")
        ->check(CLI::Range(0.0, 1e3));
    CLI11_PARSE(app, argc, argv);
    bench::DelayLineOptions options;
    const size_t colon = to.rfind(':');
    int port = 0;
    if (colon == std::string::npos || sscanf(to.c_str() + colon + 1, "%d", &port) != 1 || port < 1 ||
        port > 65535) {
        fprintf(stderr, "bitfusion_delay_line: --to is not <address>:<port>\n");
        return 2;
    }
    options.to_host = to.substr(0, colon);
    options.to_port = static_cast<uint16_t>(port);
    options.one_way = std::chrono::microseconds(static_cast<int64_t>(round_trip / 2));
    options.bits_per_second = gbit * 1e9;
    auto line = bench::DelayLine::open(options);
    if (!line) {
        fprintf(stderr, "bitfusion_delay_line: %s\n", line.error().what.c_str());
        return 1;
    }
    printf("ready: %d\n", (*line)->port());
    fflush(stdout);
    char text[64];
    while (fgets(text, sizeof text, stdin) != nullptr) {
        if (sscanf(text, "%lf", &gbit) != 1 || gbit < 0 || gbit > 1e3) {
            fprintf(stderr, "bitfusion_delay_line: not a number of Gbit/s from 0 to 1000: %s", text);
            return 2;
        }
        (*line)->set_rate(gbit * 1e9);
    }
    return 0;
}
