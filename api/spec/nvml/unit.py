"""S-class units."""

fn("nvmlReturn_t nvmlUnitGetCount(unsigned int *unitCount)", local())
fn("nvmlReturn_t nvmlUnitGetHandleByIndex(unsigned int index, nvmlUnit_t *unit)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitGetUnitInfo(nvmlUnit_t unit, nvmlUnitInfo_t *info)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitGetLedState(nvmlUnit_t unit, nvmlLedState_t *state)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitGetPsuInfo(nvmlUnit_t unit, nvmlPSUInfo_t *psu)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitGetTemperature(nvmlUnit_t unit, unsigned int type, unsigned int *temp)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitGetFanSpeedInfo(nvmlUnit_t unit, nvmlUnitFanSpeeds_t *fanSpeeds)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitGetDevices(nvmlUnit_t unit, unsigned int *deviceCount, nvmlDevice_t *devices)",
   refused("S-class units are not part of a lease"))
fn("nvmlReturn_t nvmlUnitSetLedState(nvmlUnit_t unit, nvmlLedColor_t color)", forbidden())
