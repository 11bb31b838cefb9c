// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Everything a user of Cirein needs.
#include "cirein/arena.h"
#include "cirein/backing_store.h"
#include "cirein/behavior.h"
#include "cirein/compute.h"
#include "cirein/config.h"
#include "cirein/data_object.h"
#include "cirein/deadline.h"
#include "cirein/directory.h"
#include "cirein/group.h"
#include "cirein/key.h"
#include "cirein/library.h"
#include "cirein/operations.h"
#include "cirein/pattern.h"
#include "cirein/pool.h"
#include "cirein/pool_backend.h"
#include "cirein/pool_network.h"
#include "cirein/resource_url.h"
#include "cirein/result_collector.h"
#include "cirein/status.h"
