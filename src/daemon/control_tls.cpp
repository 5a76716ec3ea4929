#include "daemon/control_tls.h"

#include <openssl/ssl.h>

namespace bitfusion::daemon {

Result<std::unique_ptr<boost::asio::ssl::context>> open_control_tls(const StateFolder& folder) {
    using boost::asio::ssl::context;
    auto tls = std::make_unique<context>(context::tls_server);
    if (SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_3_VERSION) != 1)
        return fail("this OpenSSL has no TLS 1.3; install OpenSSL 3");
    if (auto used = use_certificate(*tls, folder); !used) return tl::unexpected(used.error());
    return tls;
}

Status use_certificate(boost::asio::ssl::context& tls, const StateFolder& folder) {
    using boost::asio::ssl::context;
    boost::system::error_code error;
    tls.use_certificate_chain_file(folder.server_certificate(), error);
    if (!error) tls.use_private_key_file(folder.server_key(), context::pem, error);
    if (error) {
        return fail("cannot use the certificate " + folder.server_certificate() +
                    " and its key: " + error.message() +
                    "; restore them from a backup, or make them anew: bitfusion tls-certs rotate");
    }
    return {};
}

}  // namespace bitfusion::daemon
