// What Brave writes for some contexts, as JSON. Run once, its output is recorded.json beside this file:
//   mvn dependency:copy -Dartifact=io.zipkin.brave:brave:6.3.0 -DoutputDirectory=.
//   java -cp brave-6.3.0.jar Record.java > recorded.json

import brave.propagation.B3Propagation;
import brave.propagation.B3Propagation.Format;
import brave.propagation.Propagation;
import brave.propagation.TraceContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

public class Record {
  public static void main(String[] args) {
    StringJoiner records = new StringJoiner(",\n", "[\n", "\n]");
    for (TraceContext context : contexts()) {
      for (Format format : Format.values()) {
        Map<String, String> headers = new LinkedHashMap<>();
        Propagation<String> propagation = B3Propagation.newFactoryBuilder().injectFormat(format).build().get();
        propagation.injector((Map<String, String> carrier, String key, String value) -> carrier.put(key, value))
            .inject(context, headers);
        records.add("{\"format\": \"" + format + "\", " + fields(context) + ", \"headers\": " + json(headers) + "}");
      }
    }
    System.out.println(records);
  }

  static List<TraceContext> contexts() {
    List<TraceContext> contexts = new ArrayList<>();
    for (long high : new long[] {0x463ac35c9f6413adL, 0L}) {
      for (Long parent : new Long[] {null, 0x05e3ac9a4f6e3b90L}) {
        TraceContext.Builder builder = TraceContext.newBuilder()
            .traceIdHigh(high).traceId(0x48485a3953bb6124L).spanId(0xa2fb4a1d1a96d312L).parentId(parent);
        contexts.add(builder.sampled(true).build());
        contexts.add(builder.sampled(false).build());
        contexts.add(builder.sampled(null).build());
        contexts.add(builder.sampled(true).debug(true).build());
      }
    }
    return contexts;
  }

  static String fields(TraceContext context) {
    return "\"trace_id\": \"" + context.traceIdString() + "\", \"span_id\": \"" + context.spanIdString() + "\", "
        + "\"parent_id\": " + (context.parentIdString() == null ? "null" : "\"" + context.parentIdString() + "\"") + ", "
        + "\"sampled\": " + context.sampled() + ", \"debug\": " + context.debug();
  }

  static String json(Map<String, String> headers) {
    StringJoiner pairs = new StringJoiner(", ", "{", "}");
    headers.forEach((name, value) -> pairs.add("\"" + name + "\": \"" + value + "\""));
    return pairs.toString();
  }
}
