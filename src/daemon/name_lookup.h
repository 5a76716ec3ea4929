// NameLookup: the addresses of a host, by a deadline. The daemon's thread only.
//
// A name server that does not answer holds getaddrinfo() for as long as resolv.conf has it, which is half a
// minute for most and cannot be cut short. So glibc asks in threads of its own (getaddrinfo_a(3)), and who
// waits here waits until his deadline and no longer: neither another request nor the end of the daemon waits
// with him. A question that nobody waits for any more stays with glibc until it is over; the next who asks
// for the same name waits for the same question. An address in numbers is no question.
#pragma once

#include <netdb.h>

#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"

namespace bitfusion::daemon {

// Who is asked: glibc, or a test's own.
struct NameService {
    int (*begin)(gaicb* question);     // 0, or an error of getaddrinfo(3)
    int (*state)(gaicb* question);     // EAI_INPROGRESS, or how it ended
    bool (*give_up)(gaicb* question);  // whether nobody will write to it any more
};
const NameService& machine_names();

class NameLookup {
  public:
    static constexpr size_t kMostAtOnce = 16;  // names that are asked for, also in vain

    explicit NameLookup(asio::io_context& io, const NameService& service = machine_names());
    ~NameLookup();
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;

    // `host`: a name, or an address without brackets. At least one endpoint; an error is half a sentence:
    // "its name ...".
    Task<Result<std::vector<asio::ip::tcp::endpoint>>> endpoints(std::string host, uint16_t port,
                                                                 Clock::time_point until);
    // Names that are being asked for.
    size_t under_way();

  private:
    class Question;

    Result<std::shared_ptr<Question>> question_for(const std::string& host);

    asio::io_context& io_;
    NameService service_;
    std::map<std::string, std::shared_ptr<Question>> questions_;  // by host
};

}  // namespace bitfusion::daemon
