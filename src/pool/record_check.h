// Checks of single records before the pool takes them in, whether they come from a client or from the store.
//
// What contradicts other records is not seen here (pool.h). Errors have code 400 and name the field. Pure
// functions.
#pragma once

#include "base/result.h"
#include "pool/claim.h"
#include "pool/client.h"
#include "pool/server.h"

namespace bitfusion::pool {

// Ids become parts of keys and of addresses: 1 to 128 of A-Z a-z 0-9 . _ : -
bool is_id(const std::string& text);

Status check(const Settings& settings);
Status check(const Server& server);
Status check(const Client& client);
Status check(const Claim& claim);

}  // namespace bitfusion::pool
