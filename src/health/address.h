// Address: an IP address of a machine's network interface, IPv4 or IPv6, and which of them share a subnet.
//
// Addresses travel as text; what is not one shares a subnet with nothing. Pure but for own_addresses. Any
// thread.
#pragma once

#include <string>
#include <vector>

namespace bitfusion::health {

struct Address {
    std::string interface;
    std::string ip;
    unsigned prefix = 0;  // bits of the subnet: at most 32 or 128

    bool v6() const { return ip.find(':') != std::string::npos; }
};

// Whether it is an address with a prefix that it can have.
bool proper(const Address& address);

// Whether two texts are of one address; IPv6 can be written in several ways.
bool same_address(const std::string& a, const std::string& b);

// By the narrower of both subnets: what one side routes is no common subnet.
bool same_subnet(const Address& a, const Address& b);

enum class Loopback { kLeftOut, kToo };

// Of this machine's interfaces that are up, IPv4 first. Without link-local ones of IPv6: they mean nothing to
// others without the name of an interface.
std::vector<Address> own_addresses(Loopback loopback);

}  // namespace bitfusion::health
