#include "store/store.h"

#include <algorithm>
#include <set>

namespace bitfusion::store {
namespace {

bool is_key(const std::string& key) {
    return !key.empty() && key.size() <= kMostKeyBytes &&
           std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

std::string role_key(const std::string& role) { return "role/" + role; }

Status check(const Transaction& transaction) {
    if (transaction.writes.size() > kMostWrites || transaction.conditions.size() > 8)
        return fail("a transaction has more than 100 writes or 8 conditions; split it", kMalformed);
    for (const Condition& condition : transaction.conditions) {
        if (!is_key(condition.key))
            return fail("a key is not 1 to 512 printable characters without blanks; correct it", kMalformed);
    }
    std::set<std::string> keys;
    size_t bytes = 0;
    for (const Write& write : transaction.writes) {
        if (!is_key(write.key))
            return fail("a key is not 1 to 512 printable characters without blanks; correct it", kMalformed);
        if (write.value && write.value->size() > kMostValueBytes)
            return fail("the value of '" + write.key + "' has more than 1 MiB; make it shorter", kMalformed);
        bytes += write.key.size() + (write.value ? write.value->size() : 0);
        if (!keys.insert(write.key).second)
            return fail("a transaction writes '" + write.key + "' twice; leave one out", kMalformed);
    }
    if (bytes > kMostTransactionBytes)
        return fail("a transaction has more than 1.25 MiB; split it", kMalformed);
    return {};
}

}  // namespace bitfusion::store
