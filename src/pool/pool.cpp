#include "pool/pool.h"

#include "pool/book.h"
#include "pool/record_check.h"

namespace bitfusion::pool {

Pool::Pool(const Settings& settings) : book_(std::make_unique<Book>()) { book_->settings = settings; }
Pool::Pool(std::unique_ptr<Book> book) : book_(std::move(book)) {}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;

Effects Pool::take_effects() { return std::exchange(book_->effects, {}); }

const Settings& Pool::settings() const { return book_->settings; }

Status Pool::set_settings(const Settings& settings, Time now) {
    Book& book = *book_;
    book.advance(now);
    if (auto ok = check(settings); !ok) return ok;
    if (settings == book.settings) return {};
    book.settings = settings;
    book.change(settings);
    book.refuse_impossible(nullptr);
    for (const auto& [id, entry] : book.clients) book.hold_back(id);
    book.watch_all();
    book.settle();
    return {};
}

void Pool::tick(Time now) {
    book_->advance(now);
    book_->ring_alarms();
    book_->settle();
}

const Server* Pool::server(const std::string& id) const {
    const ServerEntry* entry = book_->server(id);
    return entry == nullptr ? nullptr : &entry->server;
}

const Client* Pool::client(const std::string& id) const {
    const ClientEntry* entry = book_->client(id);
    return entry == nullptr ? nullptr : &entry->client;
}

const Claim* Pool::claim(const std::string& id) const {
    const Waiter* waiter = book_->queue.find(id);
    return waiter == nullptr ? nullptr : &waiter->claim;
}

const Lease* Pool::lease(const std::string& id) const {
    const auto found = book_->leases.find(id);
    return found == book_->leases.end() ? nullptr : &found->second.lease;
}

std::vector<const Server*> Pool::servers() const {
    std::vector<const Server*> all;
    for (const auto& entry : book_->servers) {
        if (entry) all.push_back(&entry->server);
    }
    return all;
}

std::vector<const Client*> Pool::clients() const {
    std::vector<const Client*> all;
    for (const auto& [id, entry] : book_->clients) all.push_back(&entry.client);
    return all;
}

std::vector<const Claim*> Pool::waiting() const {
    std::vector<const Claim*> all;
    book_->queue.for_each([&all](const Waiter& waiter) { all.push_back(&waiter.claim); });
    return all;
}

std::vector<const Lease*> Pool::leases() const {
    std::vector<const Lease*> all;
    for (const auto& [id, entry] : book_->leases) all.push_back(&entry.lease);
    return all;
}

std::vector<const Lease*> Pool::leases_of(const std::string& client) const {
    std::vector<const Lease*> all;
    const ClientEntry* owner = book_->client(client);
    if (owner == nullptr) return all;
    for (const std::string& id : owner->leases) all.push_back(&book_->leases.at(id).lease);
    return all;
}

Room Pool::room(const std::string& server) const {
    Room room;
    const ServerEntry* entry = book_->server(server);
    if (entry == nullptr) return room;
    room.up = entry->up;
    room.leases = entry->leases.size();
    for (const Spot& spot : entry->spots)
        room.devices.push_back({spot.device.ordinal, spot.device.memory_mib, spot.free_mib});
    return room;
}

Use Pool::use(const std::string& client) const {
    Use use;
    const ClientEntry* entry = book_->client(client);
    if (entry == nullptr) return use;
    use.held = entry->held;
    use.quota = book_->quota_of(entry->client);
    use.leases = entry->leases.size();
    use.waiting = book_->queue.of_client(client).size();
    return use;
}

const Work& Pool::work() const { return book_->work; }

}  // namespace bitfusion::pool
