// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cirein::backing {

/// Makes the built-in types of stores known. Again it does nothing. The shared library does so by
/// itself when it is loaded; a program that is linked with the folders' libraries calls it.
void RegisterBackingStores();

}  // namespace cirein::backing
