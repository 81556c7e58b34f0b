"""
Lines of devices to systems that take batches over HTTP or Kafka: Splunk, OpenSearch, Loki, Kafka.
"""
