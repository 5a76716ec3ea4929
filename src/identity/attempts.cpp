#include "identity/attempts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace bitfusion::identity {

std::string network_of(const std::string& ip) {
    std::array<uint8_t, 16> bytes{};
    if (inet_pton(AF_INET6, ip.c_str(), bytes.data()) != 1) return ip;
    // An IPv4 address in IPv6's clothes is that IPv4 address.
    const bool mapped = std::all_of(bytes.begin(), bytes.begin() + 10, [](uint8_t b) { return b == 0; }) &&
                        bytes[10] == 0xff && bytes[11] == 0xff;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (mapped) return inet_ntop(AF_INET, bytes.data() + 12, text.data(), text.size());
    std::fill(bytes.begin() + 8, bytes.end(), uint8_t{0});
    return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

std::time_t Attempts::wait(const Kind& kind, const std::string& key, int most, std::time_t now) {
    const auto found = kind.find(key);
    if (found == kind.end() || found->second.count < most) return 0;
    return std::max<std::time_t>(0, found->second.first + kWindow - now);
}

void Attempts::count(Kind* kind, const std::string& key, std::time_t now) {
    const auto found = kind->find(key);
    if (found != kind->end() && now - found->second.first < kWindow) {
        ++found->second.count;
        return;
    }
    if (found == kind->end() && kind->size() >= kMostKept) {
        kind->erase(std::min_element(kind->begin(), kind->end(), [](const auto& a, const auto& b) {
            return a.second.first < b.second.first;
        }));
    }
    (*kind)[key] = {now, 1};
}

std::time_t Attempts::begin(const std::string& name, const std::string& address, std::time_t now) {
    const std::string place = network_of(address);
    const std::string pair = name + " " + place;
    const std::time_t longest =
        std::max({wait(pairs_, pair, kMostOfPair, now), wait(addresses_, place, kMostOfAddress, now),
                  wait(names_, name, kMostOfName, now)});
    if (longest > 0) return longest;
    count(&pairs_, pair, now);
    count(&addresses_, place, now);
    count(&names_, name, now);
    return 0;
}

void Attempts::succeeded(const std::string& name, const std::string& address) {
    const std::string place = network_of(address);
    pairs_.erase(name + " " + place);
    for (auto [kind, key] : {std::pair(&addresses_, &place), std::pair(&names_, &name)}) {
        const auto found = kind->find(*key);
        if (found != kind->end()) --found->second.count;
    }
}

}  // namespace bitfusion::identity
