// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "resp/command_harness.h"
#include "resp/keyspace.h"

namespace cirein::resp {
namespace {

using namespace std::chrono_literals;

const std::string kNoInteger = ErrorOf(kNotAnInteger);
const std::string kNoFloat = ErrorOf(kNotAFloat);
const std::string kSyntax = ErrorOf(kSyntaxError);
const std::string kEmptyKeyReply =
    ErrorOf("ERR the empty key cannot be stored: use a key of 1 to 65535 bytes");
const std::string kTooLong =
    ErrorOf("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

std::string BadTime(const std::string& command) {
  return ErrorOf("ERR invalid expire time in '" + command + "' command");
}

class StringCommandsTest : public CommandTest {
 protected:
  StringCommandsTest() : CommandTest({StringCommands()}) {}

  void MakeHash(const std::string& row, std::uint64_t expiry_ms = 0) {
    const Key key(row, "field");
    redis_.InTransaction(row, [&](Transaction& transaction) {
      transaction.Put(KeyView(kBucket, key), test::MakeObject("value"));
      if (expiry_ms != 0) transaction.ExpireRow(KeyView(kBucket, row), expiry_ms);
    });
  }
  std::uint64_t Columns(const std::string& row) {
    std::uint64_t columns = 0;
    redis_.InTransaction(row, [&](Transaction& transaction) {
      columns = transaction.GetRow(KeyView(kBucket, row)).value().columns;
    });
    return columns;
  }
  // Of a string; 0: none.
  std::uint64_t ExpiryOf(const std::string& key) {
    std::uint64_t expiry_ms = 0;
    redis_.InTransaction(key, [&](Transaction& transaction) {
      FoundKey found;
      EXPECT_OK(FindKey(transaction, KeyView(kBucket, key), Look::kSizes, found));
      expiry_ms = found.expiry_ms;
    });
    return expiry_ms;
  }
};

TEST_P(StringCommandsTest, SetIsWhatGetFinds) {
  EXPECT_EQ(Do("GET k"), kNil);
  EXPECT_EQ(Do("SET k v"), kOkReply);
  EXPECT_EQ(Do("gEt k"), BulkOf("v"));
  EXPECT_EQ(Run({"SET", "k", std::string("\0\r\n\xFF", 4)}), kOkReply);
  EXPECT_EQ(Do("GET k"), BulkOf(std::string("\0\r\n\xFF", 4)));
  EXPECT_EQ(Do("SET k ''"), kOkReply);
  EXPECT_EQ(Do("GET k"), BulkOf(""));
  EXPECT_EQ(Do("GET"), ErrorOf("ERR wrong number of arguments for 'get' command"));
  redis_.set_protocol(Protocol::kResp3);
  EXPECT_EQ(Do("GET other"), kNil3);
}

TEST_P(StringCommandsTest, LargeValuesGoInAndComeOut) {
  for (const std::size_t bytes : {4096U, 5000U, 16384U, 16385U, 1U << 20}) {
    const std::string value(bytes, static_cast<char>('a' + bytes % 26));
    EXPECT_EQ(Run({"SET", "k", value}), kOkReply);
    EXPECT_EQ(Do("GET k"), BulkOf(value));
    EXPECT_EQ(Do("STRLEN k"), Number(static_cast<std::int64_t>(bytes)));
    EXPECT_EQ(Do("APPEND k +"), Number(static_cast<std::int64_t>(bytes) + 1));
    EXPECT_EQ(Do("GETRANGE k 0 -2"), BulkOf(value));
    EXPECT_EQ(Do("SETRANGE k 1 -"), Number(static_cast<std::int64_t>(bytes) + 1));
    EXPECT_EQ(Do("GET k"), BulkOf(value.substr(0, 1) + "-" + value.substr(2) + "+"));
  }
}

TEST_P(StringCommandsTest, SetOnlyIf) {
  EXPECT_EQ(Do("SET k v XX"), kNil);
  EXPECT_EQ(Do("GET k"), kNil);
  EXPECT_EQ(Do("SET k v nx"), kOkReply);
  EXPECT_EQ(Do("SET k w NX NX"), kNil);
  EXPECT_EQ(Do("SET k w XX"), kOkReply);
  EXPECT_EQ(Do("GET k"), BulkOf("w"));
  EXPECT_EQ(Do("SETNX k x"), Number(0));
  EXPECT_EQ(Do("SETNX l x"), Number(1));
  MakeHash("h");
  EXPECT_EQ(Do("SETNX h x"), Number(0));
  EXPECT_EQ(Do("SET h x NX"), kNil);
  EXPECT_EQ(Columns("h"), 1U);
}

TEST_P(StringCommandsTest, SetAndGet) {
  EXPECT_EQ(Do("SET k v GET"), kNil);
  EXPECT_EQ(Do("SET k w GET"), BulkOf("v"));
  EXPECT_EQ(Do("SET k x NX GET"), BulkOf("w"));
  EXPECT_EQ(Do("GET k"), BulkOf("w"));
  EXPECT_EQ(Do("SET other x XX GET"), kNil);
  EXPECT_EQ(Do("GET other"), kNil);
  MakeHash("h");
  EXPECT_EQ(Do("SET h x GET"), kWrongTypeReply);
  EXPECT_EQ(Columns("h"), 1U);
  EXPECT_EQ(Do("GETSET k y"), BulkOf("w"));
  EXPECT_EQ(Do("GETSET n y"), kNil);
  EXPECT_EQ(Do("GET n"), BulkOf("y"));
  EXPECT_EQ(Do("GETSET h x"), kWrongTypeReply);
}

TEST_P(StringCommandsTest, SetOptionsThatDoNotGoTogether) {
  for (const std::string options :
       {"NX XX", "XX NX", "EX 1 PX 1", "EX 1 KEEPTTL", "KEEPTTL EX 1", "KEEPTTL PXAT 1", "EX",
        "PXAT", "PERSIST", "what", "EX 1 EXAT 1", "''", "NXX", "v EX 1"}) {
    EXPECT_EQ(Do("SET k v " + options), kSyntax) << options;
  }
  EXPECT_EQ(Do("GET k"), kNil);
  EXPECT_EQ(Do("SET k v EX 10 EX 20 GET GET"), kNil) << "the last one counts";
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 20'000);
  EXPECT_EQ(Run({"SET", "k", "w", std::string("NX\0z", 4)}), kNil) << "words end at a zero byte";
}

TEST_P(StringCommandsTest, SetWithExpiry) {
  const std::uint64_t now_ms = redis_.now_ms();
  EXPECT_EQ(Do("SET k v EX 10"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), now_ms + 10'000);
  EXPECT_EQ(Do("SET k v PX 1500"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), now_ms + 1500);
  EXPECT_EQ(Do("SET k w KEEPTTL"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), now_ms + 1500);
  EXPECT_EQ(Do("SET k w"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), 0U);
  EXPECT_EQ(Do("SET k w EXAT 4000000000"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), 4'000'000'000'000U);
  EXPECT_EQ(Do("SET k w PXAT 4000000000001"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), 4'000'000'000'001U);
  EXPECT_EQ(Do("SETEX k 7 x"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), now_ms + 7000);
  EXPECT_EQ(Do("PSETEX k 7 x"), kOkReply);
  EXPECT_EQ(ExpiryOf("k"), now_ms + 7);
  EXPECT_EQ(Do("GETSET k y"), BulkOf("x"));
  EXPECT_EQ(ExpiryOf("k"), 0U);
  EXPECT_EQ(Do("SET k w EXAT 1"), kOkReply) << "a time that has passed";
  EXPECT_EQ(Do("GET k"), kNil);
  EXPECT_EQ(Do("SET new w PXAT 1"), kOkReply);
  EXPECT_EQ(Do("GET new"), kNil);
}

TEST_P(StringCommandsTest, ATimeThatIsNone) {
  for (const std::string time : {"0", "-1", "9223372036854775807", "-9223372036854775808"}) {
    EXPECT_EQ(Do("SET k v EX " + time), BadTime("set")) << time;
    EXPECT_EQ(Do("SETEX k " + time + " v"), BadTime("setex")) << time;
    EXPECT_EQ(Do("PSETEX k " + time + " v"), BadTime("psetex")) << time;
  }
  EXPECT_EQ(Do("SET k v EXAT 9223372036854776"), BadTime("set"));
  EXPECT_EQ(Do("SET k v EX 9223372036854775"), BadTime("set"));
  EXPECT_EQ(Do("SET k v EX 1.5"), kNoInteger);
  EXPECT_EQ(Do("SETEX k x v"), kNoInteger);
  EXPECT_EQ(Do("SET k v XX EX 0"), BadTime("set")) << "before the key is looked at";
  EXPECT_EQ(Do("SET k v PXAT 9223372036854775807"), kOkReply);
  if (GetParam().far_expiries) {
    EXPECT_EQ(ExpiryOf("k"), 9'223'372'036'854'775'807U);
  }
  EXPECT_EQ(Do("GET k"), BulkOf("v"));
}

TEST_P(StringCommandsTest, KeysExpire) {
  EXPECT_EQ(Do("SET k v PX 1000"), kOkReply);
  redis_.Pass(999ms);
  EXPECT_EQ(Do("GET k"), BulkOf("v"));
  redis_.Pass(2ms);
  EXPECT_EQ(Do("GET k"), kNil);
  EXPECT_EQ(Do("SET k v XX"), kNil);
  EXPECT_EQ(Do("INCR k"), Number(1));
  EXPECT_EQ(ExpiryOf("k"), 0U);
}

TEST_P(StringCommandsTest, SetOverAHashReplacesIt) {
  MakeHash("h", redis_.now_ms() + 5000);
  EXPECT_EQ(Do("SET h v"), kOkReply);
  EXPECT_EQ(Columns("h"), 0U);
  EXPECT_EQ(Do("GET h"), BulkOf("v"));
  EXPECT_EQ(ExpiryOf("h"), 0U);
  redis_.Pass(6s);
  EXPECT_EQ(Do("GET h"), BulkOf("v"));

  const std::uint64_t expiry_ms = redis_.now_ms() + 5000;
  MakeHash("i", expiry_ms);
  EXPECT_EQ(Do("SET i v KEEPTTL"), kOkReply);
  EXPECT_EQ(ExpiryOf("i"), expiry_ms);
  redis_.Pass(6s);
  EXPECT_EQ(Do("GET i"), kNil);

  MakeHash("j");
  MakeHash("l");
  EXPECT_EQ(Do("MSET j 1 k 2 l 3"), kOkReply);
  EXPECT_EQ(Do("MGET j k l"), BulksOf({"1", "2", "3"}));
}

TEST_P(StringCommandsTest, StringCommandsOnAHashAreRefused) {
  MakeHash("h");
  for (const std::string line :
       {"GET h", "GETDEL h", "GETEX h", "GETEX h EX 0", "GETSET h v", "APPEND h v", "STRLEN h",
        "GETRANGE h 0 1", "SUBSTR h 0 1", "SETRANGE h 0 v", "SETRANGE h 0 ''", "INCR h", "DECR h",
        "INCRBY h 1", "DECRBY h 1", "INCRBYFLOAT h x"}) {
    EXPECT_EQ(Do(line), kWrongTypeReply) << line;
  }
  EXPECT_EQ(Columns("h"), 1U);
  EXPECT_EQ(Do("LCS h k"), ErrorOf("ERR The specified keys must contain string values"));
}

TEST_P(StringCommandsTest, ARowWithObjectAndColumnsIsAHash) {
  EXPECT_EQ(Do("SET k v"), kOkReply);
  MakeHash("k");
  EXPECT_EQ(Do("GET k"), kWrongTypeReply);
  EXPECT_EQ(Do("MGET k"), ArrayOf({kNil}));
  EXPECT_EQ(Do("SET k w"), kOkReply);
  EXPECT_EQ(Do("GET k"), BulkOf("w"));
  EXPECT_EQ(Columns("k"), 0U);
}

TEST_P(StringCommandsTest, GetDel) {
  EXPECT_EQ(Do("GETDEL k"), kNil);
  EXPECT_EQ(Do("SET k v"), kOkReply);
  EXPECT_EQ(Do("GETDEL k"), BulkOf("v"));
  EXPECT_EQ(Do("GET k"), kNil);
}

TEST_P(StringCommandsTest, GetEx) {
  EXPECT_EQ(Do("GETEX k EX 0"), kNil) << "the time is looked at when there is a key";
  EXPECT_EQ(Do("GETEX k EX 1 PX 1"), kSyntax);
  EXPECT_EQ(Do("GETEX k KEEPTTL"), kSyntax);
  EXPECT_EQ(Do("GETEX k NX"), kSyntax);
  EXPECT_EQ(Do("GETEX k PERSIST EX 1"), kSyntax);
  EXPECT_EQ(Do("SET k v"), kOkReply);
  EXPECT_EQ(Do("GETEX k EX 0"), BadTime("getex"));
  EXPECT_EQ(Do("GETEX k PX x"), kNoInteger);
  EXPECT_EQ(Do("GETEX k EX 10"), BulkOf("v"));
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 10'000);
  EXPECT_EQ(Do("GETEX k"), BulkOf("v"));
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 10'000);
  EXPECT_EQ(Do("GETEX k PXAT 4000000000001"), BulkOf("v"));
  EXPECT_EQ(ExpiryOf("k"), 4'000'000'000'001U);
  EXPECT_EQ(Do("GETEX k PERSIST"), BulkOf("v"));
  EXPECT_EQ(ExpiryOf("k"), 0U);
  EXPECT_EQ(Do("GETEX k EXAT 1"), BulkOf("v")) << "a time that has passed deletes";
  EXPECT_EQ(Do("GET k"), kNil);
}

TEST_P(StringCommandsTest, SeveralKeys) {
  EXPECT_EQ(Do("MSET a 1 b 2 a 3"), kOkReply);
  EXPECT_EQ(Do("MGET a b c a"), ArrayOf({BulkOf("3"), BulkOf("2"), kNil, BulkOf("3")}));
  EXPECT_EQ(Do("MSET a 1 b"), ErrorOf("ERR wrong number of arguments for 'mset' command"));
  EXPECT_EQ(Do("MSETNX a 1 b"), ErrorOf("ERR wrong number of arguments for 'msetnx' command"));
  EXPECT_EQ(Do("MSETNX c 1 b 9"), Number(0));
  EXPECT_EQ(Do("MGET b c"), ArrayOf({BulkOf("2"), kNil}));
  EXPECT_EQ(Do("MSETNX c 1 d 2 c 3"), Number(1));
  EXPECT_EQ(Do("MGET c d"), BulksOf({"3", "2"}));
  MakeHash("h");
  EXPECT_EQ(Do("MGET h a"), ArrayOf({kNil, BulkOf("3")}));
  EXPECT_EQ(Do("MSETNX h 1"), Number(0));
  EXPECT_EQ(Do("SET a v EX 10"), kOkReply);
  EXPECT_EQ(Do("MSET a w"), kOkReply);
  EXPECT_EQ(ExpiryOf("a"), 0U);
  redis_.set_protocol(Protocol::kResp3);
  EXPECT_EQ(Do("MGET none"), ArrayOf({kNil3}));
}

TEST_P(StringCommandsTest, Append) {
  EXPECT_EQ(Do("APPEND k ab"), Number(2));
  EXPECT_EQ(Do("SET k ab PX 5000"), kOkReply);
  EXPECT_EQ(Do("APPEND k cd"), Number(4));
  EXPECT_EQ(Do("APPEND k ''"), Number(4));
  EXPECT_EQ(Do("GET k"), BulkOf("abcd"));
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 5000) << "it stays";
  EXPECT_EQ(Do("APPEND empty ''"), Number(0));
  EXPECT_EQ(Do("GET empty"), BulkOf(""));
}

TEST_P(StringCommandsTest, StrLen) {
  EXPECT_EQ(Do("STRLEN k"), Number(0));
  EXPECT_EQ(Do("SET k abc"), kOkReply);
  EXPECT_EQ(Do("STRLEN k"), Number(3));
}

TEST_P(StringCommandsTest, GetRange) {
  EXPECT_EQ(Do("GETRANGE k 0 -1"), BulkOf(""));
  EXPECT_EQ(Do("SET k Hello"), kOkReply);
  const auto range = [&](const std::string& places) { return Do("GETRANGE k " + places); };
  EXPECT_EQ(range("0 -1"), BulkOf("Hello"));
  EXPECT_EQ(range("1 3"), BulkOf("ell"));
  EXPECT_EQ(range("-3 -1"), BulkOf("llo"));
  EXPECT_EQ(range("-100 100"), BulkOf("Hello"));
  EXPECT_EQ(range("3 1"), BulkOf(""));
  EXPECT_EQ(range("-1 -3"), BulkOf(""));
  EXPECT_EQ(range("5 10"), BulkOf(""));
  EXPECT_EQ(range("-100 -99"), BulkOf("H")) << "both are taken to the beginning";
  EXPECT_EQ(range("-9223372036854775808 9223372036854775807"), BulkOf("Hello"));
  EXPECT_EQ(range("a 1"), kNoInteger);
  EXPECT_EQ(range("1 01"), kNoInteger);
  EXPECT_EQ(Do("SUBSTR k 0 1"), BulkOf("He"));
  EXPECT_EQ(Do("SET k ''"), kOkReply);
  EXPECT_EQ(range("0 -1"), BulkOf(""));
  EXPECT_EQ(range("0 0"), BulkOf(""));
}

TEST_P(StringCommandsTest, SetRange) {
  EXPECT_EQ(Do("SETRANGE k 5 ''"), Number(0));
  EXPECT_EQ(Do("GET k"), kNil);
  EXPECT_EQ(Do("SETRANGE k 2 ab"), Number(4));
  EXPECT_EQ(Do("GET k"), BulkOf(std::string("\0\0ab", 4)));
  EXPECT_EQ(Do("SET k Hello PX 5000"), kOkReply);
  EXPECT_EQ(Do("SETRANGE k 1 ipp"), Number(5));
  EXPECT_EQ(Do("GET k"), BulkOf("Hippo"));
  EXPECT_EQ(Do("SETRANGE k 4 y!"), Number(6));
  EXPECT_EQ(Do("SETRANGE k 8 z"), Number(9));
  EXPECT_EQ(Do("GET k"), BulkOf(std::string("Hippy!\0\0z", 9)));
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 5000);
  EXPECT_EQ(Do("SETRANGE k 99 ''"), Number(9));
  EXPECT_EQ(Do("SETRANGE k -1 x"), ErrorOf("ERR offset is out of range"));
  EXPECT_EQ(Do("SETRANGE k -1 ''"), ErrorOf("ERR offset is out of range"));
  EXPECT_EQ(Do("SETRANGE k x y"), kNoInteger);
  EXPECT_EQ(Do("SETRANGE k 536870912 x"), kTooLong);
  EXPECT_EQ(Do("SETRANGE k 9223372036854775807 x"), kTooLong);
  EXPECT_EQ(Do("SETRANGE none 9223372036854775807 x"), kTooLong);
}

TEST_P(StringCommandsTest, Integers) {
  EXPECT_EQ(Do("INCR k"), Number(1));
  EXPECT_EQ(Do("INCRBY k 41"), Number(42));
  EXPECT_EQ(Do("DECR k"), Number(41));
  EXPECT_EQ(Do("DECRBY k 50"), Number(-9));
  EXPECT_EQ(Do("INCRBY k -1"), Number(-10));
  EXPECT_EQ(Do("GET k"), BulkOf("-10"));
  EXPECT_EQ(Do("SET k 5 PX 5000"), kOkReply);
  EXPECT_EQ(Do("INCR k"), Number(6));
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 5000);
  EXPECT_EQ(Do("INCRBY k x"), kNoInteger);
  EXPECT_EQ(Do("DECRBY k 1.5"), kNoInteger);
  for (const std::string value : {"x", "''", "01", "+1", "1.0", "9223372036854775808"}) {
    EXPECT_EQ(Do("SET k " + value), kOkReply);
    EXPECT_EQ(Do("INCR k"), kNoInteger) << value;
  }
  EXPECT_EQ(Do("DECRBY new -9223372036854775808"), ErrorOf("ERR decrement would overflow"));
  const std::string overflow = ErrorOf("ERR increment or decrement would overflow");
  EXPECT_EQ(Do("SET k 9223372036854775807"), kOkReply);
  EXPECT_EQ(Do("INCR k"), overflow);
  EXPECT_EQ(Do("DECRBY k -1"), overflow);
  EXPECT_EQ(Do("SET k -9223372036854775808"), kOkReply);
  EXPECT_EQ(Do("DECR k"), overflow);
  EXPECT_EQ(Do("INCRBY k -1"), overflow);
  EXPECT_EQ(Do("INCRBY k 9223372036854775807"), Number(-1));
}

TEST_P(StringCommandsTest, Floats) {
  EXPECT_EQ(Do("INCRBYFLOAT k 10.5"), BulkOf("10.5"));
  EXPECT_EQ(Do("INCRBYFLOAT k 0.1"), BulkOf("10.6"));
  EXPECT_EQ(Do("INCRBYFLOAT k -5"), BulkOf("5.6"));
  EXPECT_EQ(Do("GET k"), BulkOf("5.6"));
  EXPECT_EQ(Do("SET k 5.0e3 PX 5000"), kOkReply);
  EXPECT_EQ(Do("INCRBYFLOAT k 2.0e2"), BulkOf("5200"));
  EXPECT_EQ(ExpiryOf("k"), redis_.now_ms() + 5000);
  EXPECT_EQ(Do("INCRBYFLOAT k x"), kNoFloat);
  EXPECT_EQ(Do("INCRBYFLOAT k nan"), kNoFloat);
  EXPECT_EQ(Do("INCRBYFLOAT k inf"), ErrorOf("ERR increment would produce NaN or Infinity"));
  EXPECT_EQ(Do("SET k x"), kOkReply);
  EXPECT_EQ(Do("INCRBYFLOAT k 1"), kNoFloat);
  redis_.set_protocol(Protocol::kResp3);
  EXPECT_EQ(Do("INCRBYFLOAT new 3"), BulkOf("3")) << "a bulk there too";
}

TEST_P(StringCommandsTest, Lcs) {
  EXPECT_EQ(Do("MSET a ohmytext b mynewtext"), kOkReply);
  EXPECT_EQ(Do("LCS a b"), BulkOf("mytext"));
  EXPECT_EQ(Do("LCS b a"), BulkOf("mytext"));
  EXPECT_EQ(Do("LCS a b LEN"), Number(6));
  EXPECT_EQ(Do("LCS a none"), BulkOf(""));
  EXPECT_EQ(Do("LCS none nothing LEN"), Number(0));
  const auto pair = [](std::int64_t first, std::int64_t last) {
    return ArrayOf({Number(first), Number(last)});
  };
  const std::string text = ArrayOf({pair(4, 7), pair(5, 8)});
  const std::string my = ArrayOf({pair(2, 3), pair(0, 1)});
  const auto reply = [](const std::string& matches) {
    return ArrayOf({BulkOf("matches"), matches, BulkOf("len"), Number(6)});
  };
  EXPECT_EQ(Do("LCS a b IDX"), reply(ArrayOf({text, my})));
  EXPECT_EQ(Do("LCS a b IDX MINMATCHLEN 4"), reply(ArrayOf({text})));
  EXPECT_EQ(Do("LCS a b idx minmatchlen -4"), reply(ArrayOf({text, my})));
  EXPECT_EQ(Do("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN"),
            reply(ArrayOf({ArrayOf({pair(4, 7), pair(5, 8), Number(4)})})));
  redis_.set_protocol(Protocol::kResp3);
  EXPECT_EQ(Do("LCS a b IDX MINMATCHLEN 9"),
            "%2\r\n" + BulkOf("matches") + ArrayOf({}) + BulkOf("len") + Number(6));
}

TEST_P(StringCommandsTest, LcsRefuses) {
  EXPECT_EQ(Do("LCS a b LEN IDX"),
            ErrorOf("ERR If you want both the length and indexes, please just use IDX."));
  EXPECT_EQ(Do("LCS a b what"), kSyntax);
  EXPECT_EQ(Do("LCS a b MINMATCHLEN"), kSyntax);
  EXPECT_EQ(Do("LCS a b MINMATCHLEN x"), kNoInteger);
  EXPECT_EQ(Run({"SET", "a", std::string(12'000, 'a')}), kOkReply);
  EXPECT_EQ(Run({"SET", "b", std::string(12'000, 'b')}), kOkReply);
  EXPECT_EQ(Do("LCS a b LEN"), ErrorOf("ERR Insufficient memory, transient memory for LCS exceeds "
                                       "proto-max-bulk-len"));
}

TEST_P(StringCommandsTest, KeysThatCannotBeStored) {
  const std::string kLongReply = ErrorOf(kLongKey);
  for (const std::string& key : {std::string(), std::string(65'536, 'k')}) {
    const std::string& error = key.empty() ? kEmptyKeyReply : kLongReply;
    EXPECT_EQ(Run({"GET", key}), kNil);
    EXPECT_EQ(Run({"MGET", key}), ArrayOf({kNil}));
    EXPECT_EQ(Run({"GETDEL", key}), kNil);
    EXPECT_EQ(Run({"GETEX", key, "EX", "1"}), kNil);
    EXPECT_EQ(Run({"STRLEN", key}), Number(0));
    EXPECT_EQ(Run({"GETRANGE", key, "0", "1"}), BulkOf(""));
    EXPECT_EQ(Run({"SETRANGE", key, "0", ""}), Number(0));
    EXPECT_EQ(Run({"SET", key, "v", "XX"}), kNil);
    EXPECT_EQ(Run({"SET", key, "v"}), error);
    EXPECT_EQ(Run({"SET", key, "v", "GET"}), error);
    EXPECT_EQ(Run({"SETNX", key, "v"}), error);
    EXPECT_EQ(Run({"SETEX", key, "1", "v"}), error);
    EXPECT_EQ(Run({"GETSET", key, "v"}), error);
    EXPECT_EQ(Run({"MSET", "a", "v", key, "v"}), error);
    EXPECT_EQ(Run({"MSETNX", "a", "v", key, "v"}), error);
    EXPECT_EQ(Run({"APPEND", key, "v"}), error);
    EXPECT_EQ(Run({"SETRANGE", key, "0", "v"}), error);
    EXPECT_EQ(Run({"INCR", key}), error);
    EXPECT_EQ(Run({"INCRBYFLOAT", key, "1"}), error);
  }
  EXPECT_EQ(Do("GET a"), kNil);
  EXPECT_EQ(Run({"SET", std::string(65'535, 'k'), "v"}), kOkReply);
  EXPECT_EQ(Run({"GET", std::string(65'535, 'k')}), BulkOf("v"));
}

TEST_P(StringCommandsTest, TheTableIsSortedAndWhole) {
  std::string_view last;
  for (const CommandSpec& spec : StringCommands()) {
    EXPECT_LT(last, spec.name);
    last = spec.name;
    EXPECT_NE(spec.data, nullptr) << spec.name;
    EXPECT_EQ(spec.session, nullptr) << spec.name;
    EXPECT_EQ((spec.flags & kWrite) != 0, (spec.flags & kReadOnly) == 0) << spec.name;
    EXPECT_FALSE(spec.summary.empty() || spec.since.empty() || spec.syntax.empty()) << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StringCommandsTest, testing::ValuesIn(kStores), StoreKindName);

}  // namespace
}  // namespace cirein::resp
