// SPDX-License-Identifier: Apache-2.0
#include "memory/intrusive_list.h"

#include <vector>

#include <gtest/gtest.h>

namespace cirein {
namespace {

struct Item {
  int value;
  Item* next = nullptr;
  Item* previous = nullptr;
};
using List = IntrusiveList<Item, &Item::next, &Item::previous>;

std::vector<int> Values(const List& list) {
  std::vector<int> values;
  const Item* last = nullptr;
  for (const Item* item = list.front(); item != nullptr; item = List::Next(item)) {
    values.push_back(item->value);
    EXPECT_EQ(item->previous, last);
    last = item;
  }
  EXPECT_EQ(list.back(), last);
  return values;
}

TEST(IntrusiveList, KeepsOrderWhateverIsRemoved) {
  for (int removed = 1; removed <= 3; ++removed) {
    Item items[] = {{1}, {2}, {3}};
    List list;
    EXPECT_TRUE(list.empty());
    for (Item& item : items) list.PushFront(&item);
    EXPECT_EQ(Values(list), (std::vector<int>{3, 2, 1}));
    list.Remove(&items[removed - 1]);
    std::vector<int> expected{3, 2, 1};
    std::erase(expected, removed);
    EXPECT_EQ(Values(list), expected);
    list.PushFront(&items[removed - 1]);
    expected.insert(expected.begin(), removed);
    EXPECT_EQ(Values(list), expected);
    for (Item& item : items) list.Remove(&item);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.back(), nullptr);
  }
}

}  // namespace
}  // namespace cirein
