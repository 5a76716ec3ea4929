// bitfusion_raw_streams: what a copy over lanes is compared with. Streams over loopback TCP that carry
// nothing but bytes, one sending and one receiving thread each, and AES-GCM over memory, one thread each, as
// records of TLS. One JSON line a case, as bitfusion_bench prints them.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/descriptor.h"

namespace {

using bitfusion::Descriptor;
using Clock = std::chrono::steady_clock;

constexpr size_t kRecord = 16384;

struct Stream {
    Descriptor sending;
    Descriptor receiving;
    std::vector<uint8_t> source;
    std::vector<uint8_t> target;
};

void give_up(const char* what) {
    perror(what);
    exit(2);
}

void connect_streams(std::vector<Stream>* streams) {
    const Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof place;
    auto* const address = reinterpret_cast<sockaddr*>(&place);
    if (!listener || bind(listener.get(), address, sizeof place) != 0 || listen(listener.get(), 16) != 0 ||
        getsockname(listener.get(), address, &length) != 0)
        give_up("bitfusion_raw_streams: cannot listen");
    for (Stream& stream : *streams) {
        stream.sending = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (connect(stream.sending.get(), address, sizeof place) != 0)
            give_up("bitfusion_raw_streams: cannot connect");
        stream.receiving = Descriptor(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        const int on = 1;
        setsockopt(stream.sending.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

void send_all(Stream* stream) {
    for (size_t at = 0; at < stream->source.size();) {
        const ssize_t sent =
            send(stream->sending.get(), stream->source.data() + at, stream->source.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) give_up("bitfusion_raw_streams: cannot send");
        at += static_cast<size_t>(sent);
    }
}

void receive_all(Stream* stream) {
    for (size_t at = 0; at < stream->target.size();) {
        const ssize_t got =
            recv(stream->receiving.get(), stream->target.data() + at, stream->target.size() - at, 0);
        if (got <= 0) give_up("bitfusion_raw_streams: cannot receive");
        at += static_cast<size_t>(got);
    }
}

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// As TLS 1.3 seals: a nonce and a tag for each record.
void seal_all(Stream* stream) {
    const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> cipher(EVP_CIPHER_CTX_new());
    const std::array<uint8_t, 32> key{1, 2, 3};
    std::array<uint8_t, 12> nonce{};
    std::array<uint8_t, 16> tag{};
    bool good = EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) == 1;
    for (size_t at = 0; at < stream->source.size() && good; at += kRecord) {
        const auto bytes = static_cast<int>(std::min(kRecord, stream->source.size() - at));
        int length = 0;
        ++nonce[0];
        good = EVP_EncryptInit_ex(cipher.get(), nullptr, nullptr, nullptr, nonce.data()) == 1 &&
               EVP_EncryptUpdate(cipher.get(), stream->target.data() + at, &length,
                                 stream->source.data() + at, bytes) == 1 &&
               EVP_EncryptFinal_ex(cipher.get(), tag.data(), &length) == 1 &&
               EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag.data()) == 1;
    }
    if (!good) give_up("bitfusion_raw_streams: OpenSSL cannot encrypt");
}

void run_on_threads(std::vector<Stream>* streams, const std::vector<std::function<void(Stream*)>>& parts) {
    std::vector<std::thread> threads;
    for (Stream& stream : *streams) {
        for (const auto& part : parts) threads.emplace_back(part, &stream);
    }
    for (std::thread& thread : threads) thread.join();
}

void measure(const std::string& name, std::vector<Stream>* streams, size_t bytes, int repetitions,
             const std::vector<std::function<void(Stream*)>>& parts) {
    std::vector<double> times;
    for (int i = -1; i < repetitions; ++i) {  // one to warm up
        const auto begin = Clock::now();
        run_on_threads(streams, parts);
        const double time = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
        if (i >= 0) times.push_back(time);
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    printf(
        "{\"case\": \"%s\", \"unit\": \"us\", \"value\": %.4g, \"least\": %.4g, \"most\": %.4g, "
        "\"repetitions\": %d, \"rate\": %.4g}\n",
        name.c_str(), median, times.front(), times.back(), repetitions,
        static_cast<double>(bytes) / median / 1e3);
    fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<unsigned> counts = {1, 4};
    int repetitions = 9;
    size_t bulk_mib = 256;
    CLI::App app("Raw TCP streams over loopback, and AES-GCM, for comparison");
    app.add_option("--streams", counts, "how many at once (default: 1 4)")->check(CLI::Range(1, 64));
    app.add_option("--repetitions", repetitions, "of each case")->check(CLI::Range(1, 1000));
    app.add_option("--bulk-mib", bulk_mib, "moved by all streams together")->check(CLI::Range(1, 4096));
    CLI11_PARSE(app, argc, argv);
    for (const unsigned count : counts) {
        std::vector<Stream> streams(count);
        for (Stream& stream : streams) {
            stream.source.assign((bulk_mib << 20) / count, 0x5a);
            stream.target.assign(stream.source.size(), 0);
        }
        connect_streams(&streams);
        const std::string number = std::to_string(count);
        measure("raw_streams_" + number, &streams, bulk_mib << 20, repetitions, {send_all, receive_all});
        measure("aes_gcm_" + number, &streams, bulk_mib << 20, repetitions, {seal_all});
    }
    return 0;
}
