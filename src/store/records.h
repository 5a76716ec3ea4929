// Records: how the pool's records are written in a store: one JSON object each.
//
//   pool/sequence       changes with every transaction of the ledger, see ledger.cpp
//   pool/settings       {"quota":"64","idle_limit_min":0,"auto_release_s":600,...}
//   pool/server/<id>    pool/client/<id>    pool/claim/<id>    pool/lease/<id>
//
// What is read is checked field by field: a field of the wrong kind, a missing one, or an id that is not the
// key's is an error that names the key. Pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "pool/change.h"
#include "store/store.h"

namespace bitfusion::store {

constexpr char kPoolPrefix[] = "pool/";
constexpr char kSequenceKey[] = "pool/sequence";

Write write_of(const pool::Change& change);

// Adds the record of this entry. Fails with kCorrupt.
Status add_record(pool::Records& records, const Entry& entry);

}  // namespace bitfusion::store
