#include "daemon/init.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "daemon/join.h"
#include "daemon/listen.h"
#include "identity/bundle.h"
#include "identity/registry.h"
#include "store/open.h"

namespace bitfusion::daemon {
namespace {

void add_once(std::vector<std::string>* names, const std::string& name) {
    if (!name.empty() && std::find(names->begin(), names->end(), name) == names->end())
        names->push_back(name);
}

// Addresses of this machine's interfaces that others can reach.
std::vector<std::string> own_addresses() {
    std::vector<std::string> out;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return out;
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr) continue;
        char text[INET6_ADDRSTRLEN] = "";
        if (at->ifa_addr->sa_family == AF_INET) {
            inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr, text,
                      sizeof text);
        } else if (at->ifa_addr->sa_family == AF_INET6) {
            const auto* address = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
            if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;  // means nothing without an interface
            inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
        }
        add_once(&out, text);
    }
    freeifaddrs(list);
    return out;
}

std::vector<std::string> names_of_server(const Settings& settings, const InitOptions& options) {
    std::vector<std::string> names;
    add_once(&names, server_name_of(settings));
    add_once(&names, settings.advertise);
    for (const std::string& name : options.names) add_once(&names, name);
    for (const char* name : {"localhost", "127.0.0.1", "::1"}) add_once(&names, name);
    for (const std::string& address : own_addresses()) add_once(&names, address);
    return names;
}

Result<identity::KeyPair> authority_for(const InitOptions& options, const std::string& name,
                                        std::time_t now) {
    if (options.authority_dir.empty()) return identity::make_authority(name, now);
    auto authority = StateFolder(options.authority_dir).authority();
    if (authority && !identity::facts_of(authority->certificate))
        return fail(options.authority_dir +
                    "/ca.crt is no certificate; name the state folder of the pool's first server");
    return authority;
}

Status write_client_folder(const std::string& folder, const std::map<std::string, std::string>& files,
                           std::vector<std::string>* written) {
    if (auto made = make_folder(folder); !made) return made;
    for (const auto& [name, content] : files) {
        const std::string path = folder + "/" + name;
        // A list of servers that is there may name other pools' servers as well.
        if (name == "servers.conf" && access(path.c_str(), F_OK) == 0) continue;
        if (auto done = write_secret_file(path, content); !done) return done;
        written->push_back(path);
    }
    return {};
}

}  // namespace

std::string usual_client_folder() {
    const char* home = getenv("HOME");
    return home != nullptr && *home == '/' && access(home, W_OK) == 0 ? std::string(home) + "/.bitfusion"
                                                                      : "";
}

StateFolder state_folder_of(const Settings& settings) {
    return StateFolder(settings.state_dir.empty() ? StateFolder::usual() : settings.state_dir);
}

std::string server_name_of(const Settings& settings) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    return settings.server_name.empty() ? host : settings.server_name;
}

Result<std::unique_ptr<store::Store>> open_store(const Settings& settings, const std::string& database) {
    if (settings.etcd.empty()) {
        store::SqliteOptions options;
        options.path = database;
        return store::open_sqlite(options);
    }
    store::EtcdOptions options;
    options.endpoints = settings.etcd;
    options.ca_file = settings.etcd_ca_file;
    options.certificate_file = settings.etcd_certificate_file;
    options.key_file = settings.etcd_key_file;
    return store::open_etcd(options);
}

Result<Initialised> initialise(const Settings& settings, const InitOptions& options) {
    const StateFolder folder = state_folder_of(settings);
    if (folder.initialised()) {
        return fail(folder.path() +
                    " is initialised already, and nothing was changed; see: bitfusion tls-certs show, "
                    "bitfusion token "
                    "list; to begin anew, move the folder away first");
    }
    const std::vector<std::string> names = names_of_server(settings, options);
    if (!options.join.empty()) {
        auto joined = join_pool(folder, options.join, options.invitation, names);
        if (!joined) return tl::unexpected(joined.error());
        return Initialised{"", std::move(joined->files), std::move(joined->etcd)};
    }
    if (auto made = folder.make(); !made) return tl::unexpected(made.error());
    const std::time_t now = time(nullptr);
    const auto authority = authority_for(options, names.front(), now);
    if (!authority) return tl::unexpected(authority.error());
    const auto server = identity::make_server_certificate(*authority, names, now);
    if (!server) return tl::unexpected(server.error());
    auto store = open_store(settings, folder.database());
    if (!store) return tl::unexpected(store.error());
    auto registry = identity::Registry::open(**store);
    if (!registry) return tl::unexpected(registry.error());
    const auto token = registry->create_token("made by init on " + names.front(), identity::Role::kAdmin, 0,
                                              true, true, now);
    if (!token) return tl::unexpected(token.error());
    Initialised done;
    done.token_id = token->id;
    if (!options.client_dir.empty()) {
        const std::string address = settings.advertise.empty() ? "127.0.0.1" : settings.advertise;
        const auto files = identity::bundle_files(authority->certificate, registry->text_of(*token),
                                                  {address_text(address, settings.control_port)});
        if (auto written = write_client_folder(options.client_dir, files, &done.files); !written)
            return tl::unexpected(written.error());
    }
    // The server's certificate comes last: with it the folder counts as initialised.
    for (const auto& [name, content] :
         {std::pair("ca.crt", &authority->certificate), std::pair("ca.key", &authority->key),
          std::pair("server.key", &server->key), std::pair("server.crt", &server->certificate)}) {
        if (auto written = folder.write(name, *content); !written) return tl::unexpected(written.error());
        done.files.push_back(folder.file(name));
    }
    return done;
}

}  // namespace bitfusion::daemon
