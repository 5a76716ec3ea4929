#include <algorithm>

#include "pool/book.h"
#include "pool/record_check.h"

namespace bitfusion::pool {
namespace {

Status unknown_server(const std::string& id) {
    return fail("the pool has no server '" + id + "'; see its servers with: bitfusion list_gpus", 404);
}

std::string first_few(const std::vector<std::string>& ids) {
    std::string text;
    for (size_t i = 0; i < ids.size() && i < 8; ++i) text += (i == 0 ? "" : ", ") + ids[i];
    return ids.size() > 8 ? text + " and others" : text;
}

// What the server's spots are with these GPUs; fails where leases hold more than there would be.
Result<std::vector<Spot>> spots_with(const Book& book, const ServerEntry* known, const Server& server) {
    std::vector<Spot> spots;
    for (const Gpu& gpu : server.gpus) spots.push_back({{gpu.ordinal, gpu.memory_mib}, gpu.memory_mib, 0});
    if (known != nullptr) {
        for (const std::string& id : known->leases) {
            for (const Part& part : book.leases.at(id).lease.grant.parts) {
                const auto spot = std::find_if(spots.begin(), spots.end(), [&](const Spot& candidate) {
                    return candidate.device.ordinal == part.ordinal;
                });
                if (spot == spots.end() || spot->free_mib < part.memory_mib) {
                    return fail(
                        "GPU " + std::to_string(part.ordinal) + " of server " + server.id +
                            " vanished or shrank while it is leased; end its leases and check the GPU",
                        409);
                }
                spot->free_mib -= part.memory_mib;
            }
        }
    }
    for (Spot& spot : spots) spot.spare_mib = spot.free_mib;
    return spots;
}

// Another server with this address or one of these GPUs.
Status check_unique(const Book& book, const Server& server) {
    for (const auto& entry : book.servers) {
        if (!entry || entry->server.id == server.id) continue;
        const Server& other = entry->server;
        if (!server.address.empty() && other.address == server.address) {
            return fail("server " + other.id + " has the address " + server.address +
                            " already; remove it if it is gone: bitfusion removenode " + other.id,
                        409);
        }
        for (const Gpu& gpu : server.gpus) {
            for (const Gpu& taken : other.gpus) {
                if (gpu.uuid.empty() || gpu.uuid != taken.uuid) continue;
                return fail("GPU " + gpu.uuid + " is served by server " + other.id + " [" + other.address +
                                "] already; stop one of the two, or remove it: bitfusion removenode " +
                                other.id,
                            409);
            }
        }
    }
    return {};
}

uint32_t free_number(const Book& book) {
    for (uint32_t number = 0; number < book.servers.size(); ++number) {
        if (!book.servers[number]) return number;
    }
    return static_cast<uint32_t>(book.servers.size());
}

}  // namespace

Status Pool::put_server(Server server, Time now) {
    Book& book = *book_;
    book.advance(now);
    if (auto ok = check(server); !ok) return ok;
    if (auto ok = check_unique(book, server); !ok) return ok;
    ServerEntry* known = book.server(server.id);
    auto spots = spots_with(book, known, server);
    if (!spots) return tl::unexpected(spots.error());
    if (known == nullptr) {
        server.number = free_number(book);
        if (server.number >= kMostServers)
            return fail("the pool has its most servers, 16384; remove some", 409);
        if (server.number >= book.servers.size()) book.servers.resize(server.number + 1);
        auto& entry = book.servers[server.number];
        entry = std::make_unique<ServerEntry>();
        book.numbers.emplace(server.id, server.number);
        known = entry.get();
    } else {
        server.number = known->server.number;
        server.accepts = known->server.accepts;
        if (server == known->server) return {};
    }
    known->server = std::move(server);
    known->spots = std::move(*spots);
    book.change(known->server);
    book.refresh_vacancy(known->server.number);
    book.servers_changed();
    book.refuse_impossible(nullptr);
    for (const auto& [id, entry] : book.clients) book.hold_back(id);
    book.settle();
    return {};
}

Status Pool::server_up(const std::string& id, const std::vector<std::string>& leases_with_workers, Time now) {
    Book& book = *book_;
    book.advance(now);
    ServerEntry* entry = book.server(id);
    if (entry == nullptr) return unknown_server(id);
    std::vector<std::string> strangers;
    for (const std::string& lease : leases_with_workers) {
        if (!entry->leases.contains(lease)) strangers.push_back(lease);
    }
    // Their memory counts as free here and is used there.
    if (!strangers.empty()) {
        return fail("server " + id + " has workers of leases that are over: " + first_few(strangers) +
                        "; end them, then report again",
                    409);
    }
    const std::set<std::string> working(leases_with_workers.begin(), leases_with_workers.end());
    const std::set<std::string> leases = entry->leases;
    for (const std::string& lease : leases) {
        const LeaseEntry& held = book.leases.at(lease);
        if (held.lease.state != LeaseState::kEnding) continue;
        if (working.contains(lease)) {
            book.notice(Notice::Kind::kEnding, lease, held.lease.end_reason);
        } else {
            book.leave(lease, std::string(held.lease.end_reason));
        }
    }
    entry->heard = book.now;
    if (!entry->up) {
        entry->up = true;
        book.refresh_vacancy(entry->server.number);
        book.stale(entry->server.number);
        book.watch_server(*entry);
    }
    book.settle();
    return {};
}

Status Pool::server_heard(const std::string& id, Time now) {
    book_->advance(now);
    ServerEntry* entry = book_->server(id);
    if (entry == nullptr) return unknown_server(id);
    if (!entry->up)
        return fail("server " + id + " counts as down; it must report which leases have workers first", 409);
    entry->heard = book_->now;
    return {};
}

Status Pool::server_down(const std::string& id, Time now) {
    book_->advance(now);
    ServerEntry* entry = book_->server(id);
    if (entry == nullptr) return unknown_server(id);
    entry->up = false;
    book_->refresh_vacancy(entry->server.number);
    book_->settle();
    return {};
}

Status Pool::set_accepts(const std::string& id, bool accepts, Time now) {
    Book& book = *book_;
    book.advance(now);
    ServerEntry* entry = book.server(id);
    if (entry == nullptr) return unknown_server(id);
    if (entry->server.accepts == accepts) return {};
    entry->server.accepts = accepts;
    book.change(entry->server);
    book.refresh_vacancy(entry->server.number);
    book.stale(entry->server.number);
    book.settle();
    return {};
}

Status Pool::remove_server(const std::string& id, bool force, Time now) {
    Book& book = *book_;
    book.advance(now);
    ServerEntry* entry = book.server(id);
    if (entry == nullptr) return unknown_server(id);
    if (!force && entry->server.accepts) {
        return fail("server " + id + " accepts clients; drain it first: bitfusion server drain " + id +
                        ", or remove it by force",
                    409);
    }
    if (!force && !entry->leases.empty()) {
        return fail("server " + id + " still serves " + std::to_string(entry->leases.size()) +
                        " leases; wait until they end, or remove it by force",
                    409);
    }
    const std::set<std::string> leases = entry->leases;
    for (const std::string& lease : leases)
        book.leave(lease, "its server " + id + " was removed from the pool");
    const uint32_t number = entry->server.number;
    const std::string gone = id;
    book.vacancy.remove(number);
    book.numbers.erase(gone);
    book.servers[number].reset();
    book.change(Removal{RecordKind::kServer, gone});
    book.servers_changed();
    book.refuse_impossible(nullptr);
    for (const auto& [client, owner] : book.clients) book.hold_back(client);
    book.settle();
    return {};
}

}  // namespace bitfusion::pool
