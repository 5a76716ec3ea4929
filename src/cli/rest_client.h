// RestClient: how the CLI asks a manager: HTTPS with the machine's token (credentials.h). One connection a
// request; every wait has a deadline.
//
// A server is trusted when its certificate is of the pool's authority, whatever its address. Errors name the
// server, tell unreachable, wrong authority, refused token and "is not a manager" apart, and say what to do.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "cli/servers.h"

namespace bitfusion::cli {

// Error::code of the errors that are not the server's own.
constexpr int kUnreachable = 1;
constexpr int kRefusedIdentity = 3;
constexpr int kWrongAuthority = 2;  // the text has the lines that users of this product know

struct Answer {
    unsigned status = 0;
    nlohmann::json body;  // an object; null with a file
    std::string file;     // where the answer is no JSON
};

enum class Method { kGet, kPost, kPut, kDelete };

// `body` is sent when it is an object.
Result<Answer> ask(const Endpoint& server, Method method, const std::string& target,
                   const nlohmann::json& body = nullptr);

// The same for bodies that are no JSON: `bytes` of `type` go out, at most `most_bytes` come back.
struct BytesAnswer {
    unsigned status = 0;
    std::string bytes;
    std::string type;  // as the server names it
};
Result<BytesAnswer> exchange_bytes(const Endpoint& server, Method method, const std::string& target,
                                   const std::string& type, const std::string& bytes, uint64_t most_bytes);

// "cannot reach server ip:port: <why>; <what to do>"
Error unreachable(const Endpoint& server, const std::string& why);
// The server does not accept this machine's token.
Error refused_identity(const Endpoint& server, const std::string& why);
Error not_a_manager(const Endpoint& server, const std::string& why);

// The server's own text about a refusal, or what its status means where it gave none.
std::string refusal_text(const Answer& answer);
std::string refusal_text(const BytesAnswer& answer);

// The connection that keeps a lease alive: open for as long as the object lives.
class Hold {
  public:
    static Result<Hold> open(const Endpoint& server, const std::string& lease);
    Hold(Hold&&) noexcept;
    Hold& operator=(Hold&&) noexcept;
    ~Hold();

    int descriptor() const;  // becomes readable with heartbeats and at the end
    // Reads what is there. False when the server closed it, ended the lease or broke.
    bool still_open();

  private:
    struct State;
    explicit Hold(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace bitfusion::cli
