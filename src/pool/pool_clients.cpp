#include "pool/book.h"
#include "pool/record_check.h"

namespace bitfusion::pool {
namespace {

void refuse_all(Book& book, const std::string& client, const std::string& why) {
    std::vector<Waiter*> waiting;
    for (const auto& [turn, waiter] : book.queue.of_client(client)) waiting.push_back(waiter);
    for (Waiter* waiter : waiting) book.refuse(*waiter, why);
}

}  // namespace

Status Pool::put_client(const Client& client, Time now) {
    Book& book = *book_;
    book.advance(now);
    if (auto ok = check(client); !ok) return ok;
    ClientEntry* known = book.client(client.id);
    if (known != nullptr && known->client == client) return {};
    if (known == nullptr) {
        known = &book.clients[client.id];
        // Of a client of this id that was removed some may still be ending.
        for (const auto& [id, entry] : book.leases) {
            if (entry.lease.client != client.id) continue;
            known->leases.insert(id);
            known->held += entry.lease.share;
        }
    }
    known->client = client;
    book.change(client);
    if (!client.enabled) {
        refuse_all(book, client.id, "the client was disabled; ask the administrator to enable it again");
    } else {
        book.refuse_impossible(&client.id);
        book.hold_back(client.id);
    }
    for (const std::string& lease : known->leases) book.watch_lease(book.leases.at(lease));
    book.settle();
    return {};
}

Status Pool::remove_client(const std::string& id, Time now) {
    Book& book = *book_;
    book.advance(now);
    ClientEntry* known = book.client(id);
    if (known == nullptr) return fail("the pool has no client '" + id + "'", 404);
    const std::string gone = id;
    for (const std::string& lease : known->leases)
        book.begin_end(book.leases.at(lease), "its client was deleted by an administrator");
    refuse_all(book, gone, "the client was deleted by an administrator; it must be enrolled again");
    book.clients.erase(gone);
    book.change(Removal{RecordKind::kClient, gone});
    book.settle();
    return {};
}

}  // namespace bitfusion::pool
