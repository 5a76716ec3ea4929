#include "daemon/join.h"

#include <openssl/ssl.h>

#include <nlohmann/json.hpp>

#include "daemon/forward.h"
#include "daemon/peer.h"
#include "identity/certificate.h"
#include "identity/invitation.h"

namespace bitfusion::daemon {
namespace {

using boost::beast::http::verb;
using nlohmann::json;

constexpr auto kDeadline = std::chrono::seconds(15);

Result<PeerAnswer> ask(asio::io_context& io, Peer& peer, const std::string& address, PeerRequest request) {
    Result<PeerAnswer> answer = fail("nothing was asked");
    io.restart();
    asio::co_spawn(
        io, [&]() -> Task<void> { answer = co_await peer.ask(address, std::move(request), kDeadline); },
        asio::detached);
    io.run();
    return answer;
}

std::string refusal(const PeerAnswer& answer) {
    const json body = json::parse(answer.body, nullptr, false);
    return body.is_object() ? body.value("error", "status " + std::to_string(answer.status))
                            : "status " + std::to_string(answer.status);
}

// The pool's authority, from a server that nothing is known of yet: the invitation says which is the right
// one.
Result<std::string> fetch_authority(asio::io_context& io, const std::string& address,
                                    const std::string& fingerprint) {
    auto unverified = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(unverified->native_handle(), TLS1_3_VERSION);
    Peer stranger(io, std::move(unverified));
    PeerRequest request;
    request.target = kAuthorityPath;
    const auto answer = ask(io, stranger, address, std::move(request));
    if (!answer) return tl::unexpected<Error>(answer.error());
    const auto facts = identity::facts_of(answer->body);
    if (answer->status != 200 || !facts || facts->fingerprint != fingerprint) {
        return fail("server " + address +
                    " belongs to another pool than the invitation; name a server of the pool that made it");
    }
    return answer->body;
}

}  // namespace

Result<Joined> join_pool(const StateFolder& folder, const std::string& address, const std::string& invitation,
                         const std::vector<std::string>& names) {
    const auto fingerprint = identity::fingerprint_in(invitation);
    if (!fingerprint) return tl::unexpected(fingerprint.error());
    asio::io_context io(1);
    const auto authority = fetch_authority(io, address, *fingerprint);
    if (!authority) return tl::unexpected(authority.error());
    auto peer = Peer::make(io, *authority);
    if (!peer) return tl::unexpected(peer.error());
    const auto wanted = identity::make_signing_request(names);
    if (!wanted) return tl::unexpected(wanted.error());
    PeerRequest request;
    request.verb = verb::post;
    request.target = kJoinPath;
    request.headers = {{"Authorization", "Bearer " + invitation}};
    request.content_type = "application/json";
    request.body = json{{"request", wanted->request}}.dump();
    const auto answer = ask(io, **peer, address, std::move(request));
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) return fail("server " + address + ": " + refusal(*answer));
    const json body = json::parse(answer->body, nullptr, false);
    const std::string certificate = body.is_object() ? body.value("certificate", "") : "";
    if (!identity::signed_by(certificate, *authority))
        return fail("server " + address + " gave no certificate of its pool; see its log");
    Joined joined;
    joined.etcd = body.value("etcd", "");
    if (auto made = folder.make(); !made) return tl::unexpected(made.error());
    // The server's certificate comes last: with it the folder counts as initialised.
    for (const auto& [name, content] :
         {std::pair("ca.crt", *authority), std::pair(kPoolFile, body.value("pool", "")),
          std::pair("server.key", wanted->key), std::pair("server.crt", certificate)}) {
        if (auto written = folder.write(name, content); !written) return tl::unexpected(written.error());
        joined.files.push_back(folder.file(name));
    }
    return joined;
}

}  // namespace bitfusion::daemon
