// digits: learns to read handwritten digits on a GPU and says how well it does on digits it has not seen.
//
// An ordinary program of the CUDA driver API. Exit codes: 0 it learned (at least nine of ten unseen digits
// right), 1 it did not, or a call failed, 2 the command line is wrong.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "digits/dataset.h"
#include "digits/embedded.h"
#include "digits/gpu.h"
#include "digits/network.h"

namespace {

constexpr unsigned kUnseenEvery = 7;  // no divisor of 10: the file has runs of 0, 1, 2 ... 9
constexpr float kGoodEnough = 0.9f;
constexpr char kUsage[] =
    "usage: digits [--epochs N] [--seed N]\n"
    "  trains a small network on 1541 handwritten digits and judges it on 256 others\n"
    "  --epochs N  passes over the training digits, 1 to 1000 (default 10)\n"
    "  --seed N    another seed, another start and order (default 1)\n";

bool parse_number(const char* text, unsigned low, unsigned high, unsigned* value) {
    const char* end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, *value);
    return error == std::errc() && rest == end && *value >= low && *value <= high;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int learn(unsigned epochs, unsigned seed) {
    const auto started = std::chrono::steady_clock::now();
    const digits::Dataset all = digits::parse_csv(digits::embedded_csv());
    if (all.count() < kUnseenEvery) {
        std::fprintf(stderr, "digits: the embedded data is damaged; build the program again\n");
        return 1;
    }
    auto [training, unseen] = digits::split(all, kUnseenEvery);

    digits::Random random(seed);
    const digits::Gpu gpu(digits::embedded_kernels());
    digits::Network network(gpu, training.count(), random);
    std::printf("device    %s\n", gpu.describe().c_str());
    std::printf("network   64-32-10, %u digits to learn from, %u unseen ones, ready after %.2f s\n",
                training.count(), unseen.count(), seconds_since(started));

    digits::Score judged;
    for (unsigned epoch = 1; epoch <= epochs; ++epoch) {
        const auto begun = std::chrono::steady_clock::now();
        digits::shuffle(training, random);
        const digits::Score learned = network.train(training, digits::Training{});
        judged = network.evaluate(unseen);
        std::printf("epoch %3u  loss %.4f  accuracy on unseen digits %5.1f %%  %.3f s\n", epoch,
                    static_cast<double>(learned.loss), 100.0 * static_cast<double>(judged.accuracy),
                    seconds_since(begun));
        std::fflush(stdout);
    }
    const bool good = judged.accuracy >= kGoodEnough;
    std::printf("%s: %.1f %% of the unseen digits read right, %.2f s in all\n",
                good ? "learned" : "did not learn", 100.0 * static_cast<double>(judged.accuracy),
                seconds_since(started));
    return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    unsigned epochs = 10;
    unsigned seed = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--help" || option == "-h") {
            std::fputs(kUsage, stdout);
            return 0;
        }
        const bool known = option == "--epochs" || option == "--seed";
        if (!known || i + 1 == argc ||
            !parse_number(argv[++i], option == "--epochs" ? 1 : 0, option == "--epochs" ? 1000 : 0xFFFFFFFF,
                          option == "--epochs" ? &epochs : &seed)) {
            std::fprintf(stderr, "digits: cannot use option '%s'\n%s", argv[i], kUsage);
            return 2;
        }
    }
    return learn(epochs, seed);
}
