// SPDX-License-Identifier: Apache-2.0
#include "fabric/transport.h"
