// Schema: the version of what is stored, in the store itself (key "schema").
#pragma once

#include "base/result.h"
#include "store/store.h"

namespace bitfusion::store {

// Makes an empty store ours and refuses one that is not ours or too new; see open.h. `where` names the store
// for people.
Status check_schema(Store& store, const std::string& where);

}  // namespace bitfusion::store
