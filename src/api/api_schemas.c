/* table */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_schemas.h"

#include <stddef.h>

/* What goes in and comes out, as JSON schemas. A property that a schema does not name may be added
 * at any time. */

static const struct api_schema schemas[] = {
    {"Error", "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"instance\","
              "\"error\"],\"proper"
              "ties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{"
              "\"type\":\"inte"
              "ger\"},\"instance\":{\"type\":[\"string\",\"null\"]},\"error\":{\"type\":\"object\","
              "\"required\":"
              "[\"code\",\"summary\",\"request_id\"],\"properties\":{\"code\":{\"type\":\"string\"}"
              ",\"summary\""
              ":{\"type\":\"string\"},\"detail\":{\"type\":[\"string\",\"null\"]},\"object\":{"
              "\"type\":[\"string"
              "\",\"null\"]},\"remedy\":{\"type\":[\"string\",\"null\"]},\"request_id\":{\"type\":"
              "\"string\"}}}}"
              "}"},
    {"Root", "{\"type\":\"object\",\"required\":[\"api\",\"array\",\"version\",\"openapi\"],"
             "\"properties\":{\"a"
             "pi\":{\"type\":\"string\"},\"array\":{\"type\":\"string\"},\"version\":{\"type\":"
             "\"string\"},\"ope"
             "napi\":{\"type\":\"string\"}}}"},
    {"Check", "{\"type\":\"object\",\"required\":[\"code\",\"severity\",\"object\",\"summary\","
              "\"effect\",\"doin"
              "g\",\"remedy\",\"muted_until\"],\"properties\":{\"code\":{\"type\":\"string\"},"
              "\"severity\":{\"t"
              "ype\":\"string\",\"enum\":[\"warning\",\"critical\"]},\"object\":{\"type\":"
              "\"string\"},\"summary"
              "\":{\"type\":\"string\"},\"effect\":{\"type\":\"string\"},\"doing\":{\"type\":["
              "\"string\",\"null\"]"
              "},\"remedy\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"muted_until\":{"
              "\"type\":[\"st"
              "ring\",\"null\"]}}}"},
    {"Health", "{\"type\":\"object\",\"required\":[\"state\",\"serving\",\"in_sync\",\"checks\"],"
               "\"properties\":"
               "{\"state\":{\"type\":\"string\",\"enum\":[\"ok\",\"degraded\",\"failed\"]},"
               "\"serving\":{\"type\":\""
               "boolean\"},\"in_sync\":{\"type\":\"boolean\"},\"checks\":{\"type\":\"array\","
               "\"items\":{\"$ref\":"
               "\"#/components/schemas/Check\"}}}}"},
    {"Status",
     "{\"type\":\"object\",\"required\":[\"api\",\"array\",\"generation\",\"time\",\"health\","
     "\"process"
     "es\",\"groups\",\"units\",\"switches\",\"loops\",\"pools\",\"volumes\",\"hosts\"],"
     "\"properties\":"
     "{\"api\":{\"type\":\"string\"},\"array\":{\"type\":\"string\"},\"generation\":{\"type\":"
     "\"string\""
     "},\"time\":{\"type\":\"string\",\"format\":\"date-time\"},\"health\":{\"$ref\":\"#/"
     "components/s"
     "chemas/Health\"},\"processes\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schema"
     "s/Process\"}},\"groups\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Grou"
     "p\"}},\"units\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"switches\":{\"type\":"
     "\"arra"
     "y\",\"items\":{\"type\":\"object\"}},\"loops\":{\"type\":\"array\",\"items\":{\"type\":"
     "\"object\"}}"
     ",\"pools\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Pool\"}},\"volumes\""
     ":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
     "Volume\"}},\"hosts\":{\"type\""
     ":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Host\"}}}}"},
    {"Group", "{\"type\":\"object\",\"required\":[\"name\",\"epoch\",\"primary\",\"serving\","
              "\"lone\"],\"propert"
              "ies\":{\"name\":{\"type\":\"string\"},\"epoch\":{\"type\":\"integer\"},\"primary\":{"
              "\"type\":[\"st"
              "ring\",\"null\"]},\"serving\":{\"type\":\"boolean\"},\"lone\":{\"type\":\"boolean\"}"
              ",\"dirty\":{\""
              "type\":[\"string\",\"null\"]},\"in_sync\":{\"type\":\"array\",\"items\":{\"type\":"
              "\"string\"}},\"m"
              "embers\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"queue\":{\"type\":"
              "\"integer\"},\"m"
              "irror_bytes\":{\"type\":\"integer\"},\"handshake_ns\":{\"type\":\"integer\"},"
              "\"takeovers\":{\""
              "type\":\"integer\"}}}"},
    {"Unit", "{\"type\":\"object\",\"required\":[\"name\",\"group\",\"state\"],\"properties\":{"
             "\"name\":{\"type"
             "\":\"string\"},\"group\":{\"type\":\"string\"},\"state\":{\"type\":\"string\"},"
             "\"module\":{\"type\""
             ":\"string\"},\"epoch\":{\"type\":\"integer\"},\"since\":{\"type\":\"string\","
             "\"format\":\"date-ti"
             "me\"}}}"},
    {"Switch", "{\"type\":\"object\",\"required\":[\"name\",\"portals\",\"sessions\"],"
               "\"properties\":{\"name\":{"
               "\"type\":\"string\"},\"portals\":{\"type\":\"array\",\"items\":{\"type\":"
               "\"string\"}},\"sessions\""
               ":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"drained\":{\"type\":"
               "\"boolean\"},\"comman"
               "ds\":{\"type\":\"integer\"}}}"},
    {"Loop",
     "{\"type\":\"object\",\"required\":[\"name\",\"tray\",\"banks\",\"drives\"],\"properties\":{"
     "\"name"
     "\":{\"type\":\"string\"},\"tray\":{\"type\":\"string\"},\"banks\":{\"type\":\"array\","
     "\"items\":{\"t"
     "ype\":\"object\"}},\"drives\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"},
    {"Tray", "{\"type\":\"object\",\"required\":[\"name\",\"loop\",\"drives\",\"drives_online\"],"
             "\"properties"
             "\":{\"name\":{\"type\":\"string\"},\"loop\":{\"type\":\"string\"},\"drives\":{"
             "\"type\":\"array\",\"i"
             "tems\":{\"type\":\"string\"}},\"drives_online\":{\"type\":\"integer\"}}}"},
    {"Drive", "{\"type\":\"object\",\"required\":[\"name\",\"tray\",\"slot\",\"state\",\"online\"],"
              "\"properties\""
              ":{\"name\":{\"type\":\"string\"},\"tray\":{\"type\":\"string\"},\"slot\":{\"type\":"
              "\"integer\"},\"s"
              "tate\":{\"type\":\"string\"},\"online\":{\"type\":\"boolean\"},\"group\":{\"type\":["
              "\"string\",\"n"
              "ull\"]},\"size_bytes\":{\"type\":\"integer\"}}}"},
    {"Pool", "{\"type\":\"object\",\"required\":[\"name\",\"group\",\"level\",\"state\",\"size_"
             "bytes\",\"used_b"
             "ytes\",\"redundancy_remaining\",\"drives\"],\"properties\":{\"name\":{\"type\":"
             "\"string\"},\"g"
             "roup\":{\"type\":\"string\"},\"level\":{\"type\":\"string\"},\"state\":{\"type\":"
             "\"string\"},\"cac"
             "he\":{\"type\":\"string\"},\"size_bytes\":{\"type\":\"integer\"},\"used_bytes\":{"
             "\"type\":\"inte"
             "ger\"},\"redundancy_remaining\":{\"type\":\"integer\"},\"drives\":{\"type\":"
             "\"array\",\"items\""
             ":{\"type\":\"string\"}}}}"},
    {"Volume", "{\"type\":\"object\",\"required\":[\"name\",\"uuid\",\"pool\",\"group\",\"size_"
               "bytes\",\"block_by"
               "tes\",\"state\",\"lun\"],\"properties\":{\"name\":{\"type\":\"string\"},\"uuid\":{"
               "\"type\":\"strin"
               "g\"},\"pool\":{\"type\":\"string\"},\"group\":{\"type\":\"string\"},\"size_bytes\":"
               "{\"type\":\"int"
               "eger\"},\"block_bytes\":{\"type\":\"integer\"},\"state\":{\"type\":\"string\"},"
               "\"lun\":{\"type\":"
               "[\"integer\",\"null\"]}}}"},
    {"Host",
     "{\"type\":\"object\",\"required\":[\"name\",\"initiators\",\"luns\"],\"properties\":{"
     "\"name\":{\""
     "type\":\"string\"},\"initiators\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
     "\"chap_us"
     "er\":{\"type\":\"string\"},\"luns\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}"},
    {"Process", "{\"type\":\"object\",\"required\":[\"name\",\"pid\",\"state\"],\"properties\":{"
                "\"name\":{\"type\":"
                "\"string\"},\"pid\":{\"type\":\"integer\"},\"state\":{\"type\":\"string\","
                "\"enum\":[\"running\",\"s"
                "ilent\",\"dead\"]}}}"},
    {"GroupList", "{\"type\":\"object\",\"required\":[\"groups\",\"next\",\"generation\",\"time\"],"
                  "\"properties\":{"
                  "\"groups\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                  "Group\"}},\"next\":{"
                  "\"type\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                  "\"type\":\"string\""
                  ",\"format\":\"date-time\"}}}"},
    {"UnitList", "{\"type\":\"object\",\"required\":[\"units\",\"next\",\"generation\",\"time\"],"
                 "\"properties\":{\""
                 "units\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                 "Unit\"}},\"next\":{\"ty"
                 "pe\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                 "\"type\":\"string\",\"f"
                 "ormat\":\"date-time\"}}}"},
    {"SwitchList",
     "{\"type\":\"object\",\"required\":[\"switches\",\"next\",\"generation\",\"time\"],"
     "\"properties\""
     ":{\"switches\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Switch\"}},\"ne"
     "xt\":{\"type\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
     "\"type\":\"st"
     "ring\",\"format\":\"date-time\"}}}"},
    {"LoopList", "{\"type\":\"object\",\"required\":[\"loops\",\"next\",\"generation\",\"time\"],"
                 "\"properties\":{\""
                 "loops\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                 "Loop\"}},\"next\":{\"ty"
                 "pe\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                 "\"type\":\"string\",\"f"
                 "ormat\":\"date-time\"}}}"},
    {"TrayList", "{\"type\":\"object\",\"required\":[\"trays\",\"next\",\"generation\",\"time\"],"
                 "\"properties\":{\""
                 "trays\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                 "Tray\"}},\"next\":{\"ty"
                 "pe\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                 "\"type\":\"string\",\"f"
                 "ormat\":\"date-time\"}}}"},
    {"DriveList", "{\"type\":\"object\",\"required\":[\"drives\",\"next\",\"generation\",\"time\"],"
                  "\"properties\":{"
                  "\"drives\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                  "Drive\"}},\"next\":{"
                  "\"type\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                  "\"type\":\"string\""
                  ",\"format\":\"date-time\"}}}"},
    {"PoolList", "{\"type\":\"object\",\"required\":[\"pools\",\"next\",\"generation\",\"time\"],"
                 "\"properties\":{\""
                 "pools\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                 "Pool\"}},\"next\":{\"ty"
                 "pe\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                 "\"type\":\"string\",\"f"
                 "ormat\":\"date-time\"}}}"},
    {"VolumeList",
     "{\"type\":\"object\",\"required\":[\"volumes\",\"next\",\"generation\",\"time\"],"
     "\"properties\":"
     "{\"volumes\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Volume\"}},\"next"
     "\":{\"type\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{\"type\":"
     "\"stri"
     "ng\",\"format\":\"date-time\"}}}"},
    {"HostList", "{\"type\":\"object\",\"required\":[\"hosts\",\"next\",\"generation\",\"time\"],"
                 "\"properties\":{\""
                 "hosts\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/"
                 "Host\"}},\"next\":{\"ty"
                 "pe\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
                 "\"type\":\"string\",\"f"
                 "ormat\":\"date-time\"}}}"},
    {"ProcessList",
     "{\"type\":\"object\",\"required\":[\"processes\",\"next\",\"generation\",\"time\"],"
     "\"properties"
     "\":{\"processes\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Process\"}},"
     "\"next\":{\"type\":[\"string\",\"null\"]},\"generation\":{\"type\":\"string\"},\"time\":{"
     "\"type\":"
     "\"string\",\"format\":\"date-time\"}}}"},
    {"Event", "{\"type\":\"object\",\"required\":[\"id\",\"time\",\"code\",\"severity\",\"object\","
              "\"process\",\"p"
              "art\",\"text\"],\"properties\":{\"id\":{\"type\":\"string\"},\"time\":{\"type\":"
              "\"string\",\"forma"
              "t\":\"date-time\"},\"code\":{\"type\":\"string\"},\"severity\":{\"type\":\"string\","
              "\"enum\":[\"in"
              "fo\",\"warning\",\"critical\"]},\"object\":{\"type\":\"string\"},\"process\":{"
              "\"type\":\"string\""
              "},\"part\":{\"type\":\"string\"},\"text\":{\"type\":\"string\"},\"fields\":{"
              "\"type\":\"object\",\"a"
              "dditionalProperties\":{\"type\":\"string\"}}}}"},
    {"Events", "{\"type\":\"object\",\"required\":[\"events\"],\"properties\":{\"events\":{"
               "\"type\":\"array\",\"i"
               "tems\":{\"$ref\":\"#/components/schemas/Event\"}}}}"},
    {"Takeover", "{\"type\":\"object\",\"required\":[\"group\",\"unit\",\"epoch\",\"cause\","
                 "\"time\",\"done\",\"durat"
                 "ion_ms\",\"phases\"],\"properties\":{\"group\":{\"type\":\"string\"},\"unit\":{"
                 "\"type\":\"string"
                 "\"},\"epoch\":{\"type\":\"integer\"},\"cause\":{\"type\":\"string\"},\"time\":{"
                 "\"type\":\"string\","
                 "\"format\":\"date-time\"},\"done\":{\"type\":\"boolean\"},\"duration_ms\":{"
                 "\"type\":\"number\"},"
                 "\"phases\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
                 "\"phase\",\"ms\",\"time"
                 "\"],\"properties\":{\"phase\":{\"type\":\"string\"},\"ms\":{\"type\":\"number\"},"
                 "\"time\":{\"type\""
                 ":\"string\",\"format\":\"date-time\"}}}}}}"},
    {"Takeovers", "{\"type\":\"object\",\"required\":[\"takeovers\"],\"properties\":{\"takeovers\":"
                  "{\"type\":\"arr"
                  "ay\",\"items\":{\"$ref\":\"#/components/schemas/Takeover\"}}}}"},
    {"Second",
     "{\"type\":\"object\",\"required\":[\"time\",\"reads\",\"writes\",\"read_bytes\",\"written_"
     "bytes\",\"p50_ms\",\"p99_ms\",\"longest_ms\"],\"properties\":{\"time\":{\"type\":\"string\","
     "\"format\":\"date-time\"},\"reads\":{\"type\":\"number\"},\"writes\":{\"type\":\"number\"},"
     "\"read_bytes\":{\"type\":\"number\"},\"written_bytes\":{\"type\":\"number\"},\"p50_ms\":{"
     "\"type\":[\"number\",\"null\"]},\"p99_ms\":{\"type\":[\"number\",\"null\"]},\"longest_ms\":{"
     "\"type\":[\"number\",\"null\"]}}}"},
    {"SeriesList", "{\"type\":\"object\",\"required\":[\"series\"],\"properties\":{\"series\":{"
                   "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Second\"}}}}"},
    {"Code", "{\"type\":\"object\",\"required\":[\"code\",\"kind\",\"severity\",\"object\","
             "\"meaning\",\"effect"
             "\",\"remedy\",\"metrics\"],\"properties\":{\"code\":{\"type\":\"string\"},\"kind\":{"
             "\"type\":\"str"
             "ing\",\"enum\":[\"check\",\"event\"]},\"severity\":{\"type\":\"string\"},\"object\":{"
             "\"type\":\"st"
             "ring\"},\"meaning\":{\"type\":\"string\"},\"effect\":{\"type\":\"string\"},"
             "\"remedy\":{\"type\":\""
             "string\"},\"metrics\":{\"type\":[\"string\",\"null\"]}}}"},
    {"Codes", "{\"type\":\"object\",\"required\":[\"codes\"],\"properties\":{\"codes\":{\"type\":"
              "\"array\",\"ite"
              "ms\":{\"$ref\":\"#/components/schemas/Code\"}}}}"},
    {"Session", "{\"type\":\"object\",\"required\":[\"caller\",\"role\",\"csrf_token\"],"
                "\"properties\":{\"caller"
                "\":{\"type\":\"string\"},\"role\":{\"type\":\"string\",\"enum\":[\"monitor\","
                "\"operator\",\"admin\""
                "]},\"csrf_token\":{\"type\":[\"string\",\"null\"]}}}"},
    {"Login", "{\"type\":\"object\",\"required\":[\"user\",\"password\"],\"properties\":{\"user\":{"
              "\"type\":\"st"
              "ring\"},\"password\":{\"type\":\"string\"}},\"additionalProperties\":false}"},
    {"Setup", "{\"type\":\"object\",\"required\":[\"secret\",\"user\",\"password\"],\"properties\":"
              "{\"secret\":"
              "{\"type\":\"string\"},\"user\":{\"type\":\"string\"},\"password\":{\"type\":"
              "\"string\"}},\"additi"
              "onalProperties\":false}"},
    {"NewUser", "{\"type\":\"object\",\"required\":[\"name\",\"role\",\"password\"],\"properties\":"
                "{\"name\":{\"ty"
                "pe\":\"string\"},\"role\":{\"type\":\"string\",\"enum\":[\"monitor\",\"operator\","
                "\"admin\"]},\"pa"
                "ssword\":{\"type\":\"string\"}},\"additionalProperties\":false}"},
    {"UserChange", "{\"type\":\"object\",\"required\":[],\"properties\":{\"role\":{\"type\":"
                   "\"string\",\"enum\":[\"mo"
                   "nitor\",\"operator\",\"admin\"]},\"password\":{\"type\":\"string\"}},"
                   "\"minProperties\":1,\"add"
                   "itionalProperties\":false}"},
    {"NewToken", "{\"type\":\"object\",\"required\":[\"name\",\"role\"],\"properties\":{\"name\":{"
                 "\"type\":\"string"
                 "\"},\"role\":{\"type\":\"string\",\"enum\":[\"monitor\",\"operator\",\"admin\"]}}"
                 ",\"additionalPr"
                 "operties\":false}"},
    {"TokenSecret", "{\"type\":\"object\",\"required\":[\"name\",\"role\",\"token\"],"
                    "\"properties\":{\"name\":{\"type\""
                    ":\"string\"},\"role\":{\"type\":\"string\",\"enum\":[\"monitor\",\"operator\","
                    "\"admin\"]},\"token"
                    "\":{\"type\":\"string\"}}}"},
    {"Users", "{\"type\":\"object\",\"required\":[\"users\"],\"properties\":{\"users\":{\"type\":"
              "\"array\",\"ite"
              "ms\":{\"type\":\"object\",\"required\":[\"name\",\"role\",\"created\"],"
              "\"properties\":{\"name\":{"
              "\"type\":\"string\"},\"role\":{\"type\":\"string\",\"enum\":[\"monitor\","
              "\"operator\",\"admin\"]},"
              "\"created\":{\"type\":\"string\",\"format\":\"date-time\"}}}}}}"},
    {"Tokens", "{\"type\":\"object\",\"required\":[\"tokens\"],\"properties\":{\"tokens\":{"
               "\"type\":\"array\",\"i"
               "tems\":{\"type\":\"object\",\"required\":[\"name\",\"role\",\"created\"],"
               "\"properties\":{\"name\""
               ":{\"type\":\"string\"},\"role\":{\"type\":\"string\",\"enum\":[\"monitor\","
               "\"operator\",\"admin\"]"
               "},\"created\":{\"type\":\"string\",\"format\":\"date-time\"}}}}}}"},
    {"Done", "{\"type\":\"object\",\"required\":[\"summary\"],\"properties\":{\"summary\":{"
             "\"type\":\"string\""
             "}}}"},
    {"Changed", "{\"type\":\"object\",\"required\":[\"summary\",\"noun\",\"verb\",\"object\"],"
                "\"properties\":{\"su"
                "mmary\":{\"type\":\"string\"},\"noun\":{\"type\":\"string\"},\"verb\":{\"type\":"
                "\"string\"},\"obje"
                "ct\":{\"type\":[\"object\",\"null\"]}}}"},
    {"Alive", "{\"type\":\"object\",\"required\":[\"state\"],\"properties\":{\"state\":{\"type\":"
              "\"string\"}}}"},
    {"Ready", "{\"type\":\"object\",\"required\":[\"serving\"],\"properties\":{\"serving\":{"
              "\"type\":\"boolean"
              "\"}}}"},
};

const struct api_schema *api_schema_at(size_t i)
{
    return i < sizeof schemas / sizeof schemas[0] ? &schemas[i] : NULL;
}
