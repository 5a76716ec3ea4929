// Attempts: how often somebody may try a password.
//
// Counted for a name from an address, for an address, and for a name from everywhere; each count begins anew
// five minutes after its first try. A try counts when it begins, so that many at once gain nothing; a right
// password takes it back, and those of this name from this address with it. Bounded: what is counted of
// addresses and names that nobody tried for longest is forgotten first. Pure: the caller passes the time. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <map>
#include <string>

namespace bitfusion::identity {

class Attempts {
  public:
    static constexpr int kMostOfPair = 5;
    static constexpr int kMostOfAddress = 20;
    static constexpr int kMostOfName = 50;
    static constexpr std::time_t kWindow = 300;
    static constexpr size_t kMostKept = 4096;  // of each kind

    // Seconds until another try is allowed; 0: it is, and is counted.
    std::time_t begin(const std::string& name, const std::string& address, std::time_t now);
    void succeeded(const std::string& name, const std::string& address);

  private:
    struct Tries {
        std::time_t first = 0;
        int count = 0;
    };
    using Kind = std::map<std::string, Tries>;

    static std::time_t wait(const Kind& kind, const std::string& key, int most, std::time_t now);
    static void count(Kind* kind, const std::string& key, std::time_t now);

    Kind pairs_;
    Kind addresses_;
    Kind names_;
};

// What counts as one address: all of it, of IPv6 the first half, which one customer has for himself.
std::string network_of(const std::string& ip);

}  // namespace bitfusion::identity
