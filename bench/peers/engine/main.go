// Benthos' engine (github.com/redpanda-data/benthos/v4, MIT: the language, processors and batches
// of Redpanda Connect and of Bento) with the least that a Kafka input and an S3 output can be, under
// the names and fields that redpanda_connect.yaml uses. It proves that configuration where neither
// program can be had, and tells what the engine alone costs at least.
package main

import (
	"bytes"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

type kafka struct {
	options []kgo.Opt
	client  *kgo.Client
	policy  service.BatchPolicy
	period  time.Duration
	pending map[int32]*pending
}

// What was read of one partition and not handed on yet.
type pending struct {
	batch service.MessageBatch
	size  int
	since time.Time
	last  *kgo.Record
}

func (k *kafka) Connect(context.Context) (err error) {
	k.pending = map[int32]*pending{}
	k.client, err = kgo.NewClient(k.options...)
	return err
}

func (k *kafka) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		for partition, one := range k.pending {
			if one.size >= k.policy.ByteSize || time.Since(one.since) > k.period {
				delete(k.pending, partition)
				return one.batch, func(_ context.Context, err error) error {
					if err == nil {
						k.client.MarkCommitRecords(one.last)
					}
					return err
				}, nil
			}
		}
		polling, cancel := context.WithTimeout(ctx, k.period)
		fetches := k.client.PollRecords(polling, 5000)
		cancel()
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		fetches.EachRecord(k.add)
	}
}

func (k *kafka) add(record *kgo.Record) {
	one := k.pending[record.Partition]
	if one == nil {
		one = &pending{since: time.Now()}
		k.pending[record.Partition] = one
	}
	one.batch = append(one.batch, service.NewMessage(record.Value))
	one.size += len(record.Value)
	one.last = record
}

func (k *kafka) Close(context.Context) error {
	if k.client != nil {
		k.client.Close()
	}
	return nil
}

type bucket struct {
	name   string
	path   *service.InterpolatedString
	client *s3.Client
}

func (b *bucket) Connect(context.Context) error { return nil }
func (b *bucket) Close(context.Context) error   { return nil }

func (b *bucket) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	for i, message := range batch {
		key, err := batch.TryInterpolatedString(i, b.path)
		if err != nil {
			return err
		}
		body, err := message.AsBytes()
		if err != nil {
			return err
		}
		_, err = b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(body)})
		if err != nil {
			return err
		}
	}
	return nil
}

// Collects the first error, so that fields can be read one after the other.
type fields struct {
	config *service.ParsedConfig
	err    error
}

func (f *fields) text(path ...string) string {
	value, err := f.config.FieldString(path...)
	if err != nil && f.err == nil {
		f.err = err
	}
	return value
}

func newKafka(config *service.ParsedConfig, _ *service.Resources) (service.BatchInput, error) {
	servers, err := config.FieldStringList("seed_brokers")
	if err != nil {
		return nil, err
	}
	topics, err := config.FieldStringList("topics")
	if err != nil {
		return nil, err
	}
	policy, err := config.FieldBatchPolicy("batching")
	if err != nil {
		return nil, err
	}
	period, err := time.ParseDuration(policy.Period)
	if err != nil {
		return nil, err
	}
	f := fields{config: config}
	options := []kgo.Opt{
		kgo.SeedBrokers(servers...),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumerGroup(f.text("consumer_group")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
	}
	return &kafka{options: options, policy: policy, period: period}, f.err
}

func newBucket(config *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
	var none service.BatchPolicy
	path, err := config.FieldInterpolatedString("path")
	if err != nil {
		return nil, none, 0, err
	}
	inFlight, err := config.FieldInt("max_in_flight")
	if err != nil {
		return nil, none, 0, err
	}
	f := fields{config: config}
	client := s3.New(s3.Options{
		Region:       f.text("region"),
		BaseEndpoint: aws.String(f.text("endpoint")),
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(
			f.text("credentials", "id"), f.text("credentials", "secret"), ""),
	})
	return &bucket{name: f.text("bucket"), path: path, client: client}, none, inFlight, f.err
}

func main() {
	input := service.NewConfigSpec().Fields(
		service.NewStringListField("seed_brokers"),
		service.NewStringListField("topics"),
		service.NewStringField("consumer_group"),
		service.NewIntField("checkpoint_limit"),
		service.NewBatchPolicyField("batching"),
	)
	output := service.NewConfigSpec().Fields(
		service.NewStringField("bucket"),
		service.NewInterpolatedStringField("path"),
		service.NewStringField("region"),
		service.NewStringField("endpoint"),
		service.NewBoolField("force_path_style_urls"),
		service.NewStringField("timeout"),
		service.NewIntField("max_in_flight"),
		service.NewObjectField("credentials",
			service.NewStringField("id"),
			service.NewStringField("secret"),
		),
	)
	for _, err := range []error{
		service.RegisterBatchInput("kafka_franz", input, newKafka),
		service.RegisterBatchOutput("aws_s3", output, newBucket),
	} {
		if err != nil {
			panic(err)
		}
	}
	service.RunCLI(context.Background())
}
