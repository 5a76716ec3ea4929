#include "health/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace bitfusion::health {
namespace {

using Bytes = std::array<uint8_t, 16>;  // an IPv4 address is the first four

bool read(const Address& address, Bytes* bytes) {
    return inet_pton(address.v6() ? AF_INET6 : AF_INET, address.ip.c_str(), bytes->data()) == 1;
}

std::string text_of(int family, const void* bytes) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, bytes, text, sizeof text);
    return text;
}

template <size_t kCount>
unsigned bits_of(const uint8_t (&mask)[kCount]) {
    unsigned bits = 0;
    for (const uint8_t byte : mask) bits += static_cast<unsigned>(std::popcount(byte));
    return bits;
}

Address address_of(const ifaddrs& entry) {
    Address address{entry.ifa_name, "", 0};
    if (entry.ifa_addr->sa_family == AF_INET) {
        const auto* ip = reinterpret_cast<const sockaddr_in*>(entry.ifa_addr);
        const auto* mask = reinterpret_cast<const sockaddr_in*>(entry.ifa_netmask);
        address.ip = text_of(AF_INET, &ip->sin_addr);
        address.prefix = static_cast<unsigned>(std::popcount(mask->sin_addr.s_addr));
    } else if (entry.ifa_addr->sa_family == AF_INET6) {
        const auto* ip = reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr);
        const auto* mask = reinterpret_cast<const sockaddr_in6*>(entry.ifa_netmask);
        if (IN6_IS_ADDR_LINKLOCAL(&ip->sin6_addr)) return address;
        address.ip = text_of(AF_INET6, &ip->sin6_addr);
        address.prefix = bits_of(mask->sin6_addr.s6_addr);
    }
    return address;
}

}  // namespace

bool proper(const Address& address) {
    Bytes bytes{};
    return address.prefix <= (address.v6() ? 128u : 32u) && read(address, &bytes);
}

bool same_address(const std::string& a, const std::string& b) {
    const Address first{"", a, 0}, second{"", b, 0};
    Bytes one{}, other{};
    return first.v6() == second.v6() && read(first, &one) && read(second, &other) && one == other;
}

bool same_subnet(const Address& a, const Address& b) {
    Bytes first{}, second{};
    if (a.v6() != b.v6() || !proper(a) || !proper(b) || !read(a, &first) || !read(b, &second)) return false;
    unsigned left = std::max(a.prefix, b.prefix);
    for (size_t i = 0; i < first.size() && left != 0; ++i) {
        const unsigned bits = std::min(left, 8u);
        const auto mask = static_cast<uint8_t>(0xff00u >> bits);
        if (((first[i] ^ second[i]) & mask) != 0) return false;
        left -= bits;
    }
    return true;
}

std::vector<Address> own_addresses(Loopback loopback) {
    std::vector<Address> found;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return found;
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr || at->ifa_netmask == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
        if (loopback == Loopback::kLeftOut && (at->ifa_flags & IFF_LOOPBACK) != 0) continue;
        Address address = address_of(*at);
        if (!address.ip.empty()) found.push_back(std::move(address));
    }
    freeifaddrs(list);
    std::stable_partition(found.begin(), found.end(), [](const Address& one) { return !one.v6(); });
    return found;
}

}  // namespace bitfusion::health
